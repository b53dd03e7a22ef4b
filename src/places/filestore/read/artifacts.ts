import { listFiles } from '../../../artifacts/local/list-files.ts';
import { openFile } from '../../../artifacts/local/open-file.ts';
import { MlferryError } from '../../../util/errors.ts';
import type { ArtifactOwner } from '../../place.ts';
import { locateArtifacts } from './locate-artifacts.ts';
import type { RunLoss } from './read-run.ts';

/** Whose files they are: a run, or a logged model. */
export interface StoreOwner {
  readonly id: string;
  /** The directory with its `meta.yaml`. */
  readonly directory: string;
  readonly artifact_uri: string;
}

/** The files of a run or logged model of the store at `root`; what of them is left out goes to `note`. */
export function storeArtifacts(
  root: string,
  { id, directory, artifact_uri }: StoreOwner,
  note: (loss: RunLoss) => void,
): ArtifactOwner {
  const home = () => locateArtifacts(root, directory, id, artifact_uri);
  return {
    async *artifacts() {
      const { path, unreachable, away } = await home();
      if (unreachable) {
        const detail = `The artifacts are at ${artifact_uri}, which is not on this machine`;
        note({ code: 'ARTIFACTS_UNREACHABLE', detail });
      }
      if (away) {
        const detail = `The artifacts are left out: ${path} is a symbolic link out of the store`;
        note({ code: 'ARTIFACTS_NOT_CARRIED', detail });
        return;
      }
      for await (const file of listFiles(path)) {
        if ('entry' in file) yield file.entry;
        else
          note({
            code: file.code,
            left_behind: true,
            key: file.path,
            detail: `The artifact is left out: ${file.problem}`,
          });
      }
    },
    async open(artifact) {
      const { path, away } = await home();
      if (away) throw new MlferryError('SOURCE_ITEM', `${path} is a symbolic link out of the store`);
      return openFile(path, artifact);
    },
  };
}
