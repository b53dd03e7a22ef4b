import type { FoundObject } from '../../../model/findings.ts';
import type { ArtifactOwner } from '../../artifact-owner.ts';
import { filesAt, type Home } from '../../reading/files-at.ts';
import type { Store } from './store.ts';

/** Whose files: for what is noted of them. */
interface FileOwner {
  readonly id: string;
  readonly artifact_uri: string;
  readonly experiment_name?: string;
  readonly run_id?: string;
  readonly of?: FoundObject;
}

/** The files of a run, logged model or trace. */
export function ownFiles(store: Store, { id, artifact_uri, ...owner }: FileOwner): ArtifactOwner {
  return filesAt(
    () => homeOf(store, { id, artifact_uri }),
    (loss) => store.note({ ...loss, ...owner }),
  );
}

/** The directory of what has this id and `artifact_uri`. A root that is not on this machine is told once, for all that have it. */
export async function homeOf(
  { locate, note }: Store,
  owner: Pick<FileOwner, 'id' | 'artifact_uri'>,
): Promise<Home> {
  const home = await locate(owner);
  if ('unreachable' in home) {
    const detail = `The artifact root ${home.unreachable} is not on this machine: what runs and models have there is left out. --artifacts-root PATH says where it stands now`;
    note({ code: 'ARTIFACTS_UNREACHABLE', detail });
    return {};
  }
  if (!('away' in home)) return home;
  const detail = `The artifacts are left out: ${home.away} is a symbolic link to a place that is not theirs`;
  return { loss: { code: 'ARTIFACTS_NOT_CARRIED', detail } };
}
