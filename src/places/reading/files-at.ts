import { listFiles } from '../../artifacts/local/list-files.ts';
import { openFile } from '../../artifacts/local/open-file.ts';
import type { Loss } from '../../model/findings.ts';
import { MlferryError } from '../../util/errors.ts';
import type { ArtifactOwner } from '../artifact-owner.ts';

/** A note on files; the caller adds whose they are. */
type FileLoss = Omit<Loss, 'run_id' | 'experiment_name'>;

/** A directory of files, or why none of them can be had: the loss. Without either there are none. */
export interface Home {
  readonly path?: string;
  readonly loss?: FileLoss;
}

/** The files of the directory that `find` finds; what of them is left out goes to `note`. */
export function filesAt(find: () => Promise<Home>, note: (loss: FileLoss) => void): ArtifactOwner {
  return {
    async *artifacts() {
      const { path, loss } = await find();
      if (path === undefined) {
        if (loss !== undefined) note(loss);
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
      if (path === undefined)
        throw new MlferryError('SOURCE_ITEM', loss?.detail ?? `There is no ${artifact.path}`);
      return openFile(path, artifact);
    },
  };
}
