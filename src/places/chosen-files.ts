import { type FileRules, fileChooser, takesAllFiles } from '../kinds/file-rules.ts';
import type { RunLoss } from '../model/fit-run.ts';
import type { ArtifactEntry, ArtifactOwner } from './artifact-owner.ts';

/** Names of files that a loss tells. */
const MOST_NAMED = 3;

/** Counts files that are left out by wish. */
export interface LeftFiles {
  add(file: ArtifactEntry): void;
  /** The loss of all of them; `undefined` of none. It is no fault. */
  loss(): RunLoss | undefined;
}

/** An empty {@link LeftFiles}. */
export function createLeftFiles(): LeftFiles {
  const names: string[] = [];
  let count = 0;
  let bytes = 0;
  return {
    add({ path, size = 0 }) {
      count += 1;
      bytes += size;
      if (names.length < MOST_NAMED) names.push(path);
    },
    loss() {
      if (count === 0) return undefined;
      const more = count > names.length ? ', …' : '';
      const detail = `left out as asked: ${names.join(', ')}${more} (${bytes} bytes)`;
      return { code: 'ARTIFACTS_FILTERED', count, detail };
    },
  };
}

/**
 * An object with those of its files that the rules take. What they leave is told once, when all files have been listed for the
 * first time.
 */
export function withChosenFiles<T extends ArtifactOwner>(
  owner: T,
  rules: FileRules,
  onLeft: (loss: RunLoss) => void = () => undefined,
): T {
  if (takesAllFiles(rules)) return owner;
  const isTaken = fileChooser(rules);
  let told = false;
  return {
    ...owner,
    async *artifacts() {
      const left = createLeftFiles();
      for await (const entry of owner.artifacts()) {
        if (isTaken(entry)) yield entry;
        else left.add(entry);
      }
      const loss = left.loss();
      if (!told && loss !== undefined) onLeft(loss);
      told = true;
    },
  };
}
