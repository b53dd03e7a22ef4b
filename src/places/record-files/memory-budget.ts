import { getHeapStatistics } from 'node:v8';
import { MlferryError } from '../../util/errors.ts';

/** Counts what has to stay in memory while an archive or stream is read. */
export interface MemoryBudget {
  /** Throws HOSTILE when `bytes` more (a generous estimate) would not fit. */
  hold(bytes: number): void;
  release(bytes: number): void;
}

/**
 * A budget of half the memory that Node may use, at most 2 GiB: some 250,000 runs for each 256 MB. Compressed names cost
 * nothing to send, so without it a file of a few MB could fill any machine. `where` names the file.
 */
export function createMemoryBudget(
  where: string,
  most = Math.min(getHeapStatistics().heap_size_limit / 2, 2 ** 31),
): MemoryBudget {
  let held = 0;
  return {
    hold: (bytes) => {
      held += bytes;
      if (held <= most) return;
      throw new MlferryError('HOSTILE', `${where} has more runs, files or names than fit in memory`, {
        hint: 'If it really is that large, let Node use more: NODE_OPTIONS=--max-old-space-size=8192 (MiB).',
      });
    },
    release: (bytes) => {
      held -= bytes;
    },
  };
}
