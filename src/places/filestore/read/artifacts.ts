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

/** A directory of files, or why none of them can be had: the loss. */
export type Home =
  | { readonly path: string; readonly loss?: RunLoss }
  | { readonly path?: undefined; readonly loss: RunLoss };

/** The files of the directory that `find` finds; what of them is left out goes to `note`. */
export function filesAt(find: () => Promise<Home>, note: (loss: RunLoss) => void): ArtifactOwner {
  return {
    async *artifacts() {
      const { path, loss } = await find();
      if (loss !== undefined) note(loss);
      if (path === undefined) return;
      for await (const file of listFiles(path)) {
        if ('entry' in file) {
          yield file.entry;
          continue;
        }
        const detail = `The artifact is left out: ${file.problem}`;
        note({ code: file.code, left_behind: true, key: file.path, detail });
      }
    },
    async open(artifact) {
      const { path, loss } = await find();
      if (path === undefined) throw new MlferryError('SOURCE_ITEM', loss.detail);
      return openFile(path, artifact);
    },
  };
}

/** The files of a run or logged model of the store at `root`; what of them is left out goes to `note`. */
export function storeArtifacts(
  root: string,
  { id, directory, artifact_uri }: StoreOwner,
  note: (loss: RunLoss) => void,
): ArtifactOwner {
  return filesAt(async () => {
    const { path, unreachable, away } = await locateArtifacts(root, directory, id, artifact_uri);
    if (away) {
      const detail = `The artifacts are left out: ${path} is a symbolic link out of the store`;
      return { loss: { code: 'ARTIFACTS_NOT_CARRIED', detail } };
    }
    if (!unreachable) return { path };
    const detail = `The artifacts are at ${artifact_uri}, which is not on this machine`;
    return { path, loss: { code: 'ARTIFACTS_UNREACHABLE', detail } };
  }, note);
}
