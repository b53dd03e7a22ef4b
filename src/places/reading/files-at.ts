import { join } from 'node:path';
import { artifactPathProblem } from '../../artifacts/artifact-path.ts';
import { listFiles } from '../../artifacts/local/list-files.ts';
import { openFile } from '../../artifacts/local/open-file.ts';
import type { ArtifactStore } from '../../artifacts/store.ts';
import type { Loss } from '../../model/findings.ts';
import { MlferryError } from '../../util/errors.ts';
import type { ArtifactOwner } from '../artifact-owner.ts';

/** A note on files; the caller adds whose they are. */
type FileLoss = Omit<Loss, 'run_id' | 'experiment_name'>;

/** A directory of files, here or in a store, or why none of them can be had: the loss. Without any of these there are none. */
export interface Home {
  readonly path?: string;
  readonly store?: ArtifactStore;
  readonly loss?: FileLoss;
}

/** A directory of a home. */
export function homeBelow(home: Home, directory: string): Home {
  const { path, store } = home;
  if (store !== undefined) return directory === '' ? home : { store: store.below(directory) };
  return path === undefined ? home : { path: join(path, directory) };
}

/** The files of the directory that `find` finds; what of them is left out goes to `note`. */
export function filesAt(find: () => Promise<Home>, note: (loss: FileLoss) => void): ArtifactOwner {
  return {
    async *artifacts() {
      const { path, store, loss } = await find();
      for (const file of (await store?.list()) ?? []) {
        const problem = artifactPathProblem(file.path);
        if (problem === undefined && store !== undefined) {
          yield { path: file.path, size: file.size, stored: store.origin(file) };
        } else {
          const detail = `The artifact is left out: its path ${problem}`;
          note({ code: 'ARTIFACT_NAME', left_behind: true, key: file.path, detail });
        }
      }
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
      const { path, store, loss } = await find();
      if (store !== undefined) return store.open(artifact.path, artifact.size);
      if (path === undefined)
        throw new MlferryError('SOURCE_ITEM', loss?.detail ?? `There is no ${artifact.path}`);
      return openFile(path, artifact);
    },
  };
}
