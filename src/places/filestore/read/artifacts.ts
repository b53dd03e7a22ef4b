import { listFiles } from '../../../artifacts/local/list-files.ts';
import { openFile } from '../../../artifacts/local/open-file.ts';
import { MlferryError } from '../../../util/errors.ts';
import type { ArtifactOwner } from '../../place.ts';
import type { ArtifactLocator, StoreOwner } from './locate-artifacts.ts';
import type { RunLoss } from './read-run.ts';

/** A directory of files, or why none of them can be had: the loss. */
export type Home =
  | { readonly path: string; readonly loss?: undefined }
  | { readonly path?: undefined; readonly loss: RunLoss };

/** The files of the directory that `find` finds; what of them is left out goes to `note`. */
export function filesAt(find: () => Promise<Home>, note: (loss: RunLoss) => void): ArtifactOwner {
  return {
    async *artifacts() {
      const { path, loss } = await find();
      if (path === undefined) {
        note(loss);
        return;
      }
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

/** What finds the files of a store's runs and models, and hears of roots that are not on this machine. */
export interface ArtifactFinder {
  readonly locate: ArtifactLocator;
  /** Once a root is enough: all that is below it is away. */
  onUnreachable(root: string): void;
}

/** The files of a run or logged model of a store; what of them is left out goes to `note`. */
export function storeArtifacts(
  { locate, onUnreachable }: ArtifactFinder,
  owner: StoreOwner,
  note: (loss: RunLoss) => void,
): ArtifactOwner {
  return filesAt(async () => {
    const { path, unreachable, away } = await locate(owner);
    if (unreachable !== undefined) onUnreachable(unreachable);
    if (!away) return { path };
    const detail = `The artifacts are left out: ${path} is a symbolic link out of the store`;
    return { loss: { code: 'ARTIFACTS_NOT_CARRIED', detail } };
  }, note);
}
