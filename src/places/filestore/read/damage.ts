import { asItemError } from './item-error.ts';

/** What of an object cannot be read, by file and line: all else of it is carried. */
export interface Damage {
  readonly told: readonly string[];
  /** The value that is read; `undefined` when it cannot be, which is told. */
  tolerate<T>(path: string, read: () => Promise<T>): Promise<T | undefined>;
  /** Collects the broken lines of a metric file; `undefined` when they are errors. */
  lines(path: string): BrokenLines | undefined;
}

/** The broken lines of a file: the first ones are told each, of the rest how many. */
export interface BrokenLines {
  isNone(): boolean;
  note(line: number): void;
  end(): void;
}

/** Broken lines of a metric file that are told by their numbers. */
const MOST_TOLD = 50;

/** An empty {@link Damage}. With `strict` nothing is tolerated: what cannot be read is the error of the whole object. */
export function createDamage(strict: boolean): Damage {
  const told: string[] = [];
  return {
    told,
    async tolerate(path, read) {
      try {
        return await read();
      } catch (error) {
        if (strict) throw error;
        told.push(asItemError(error, path).message);
        return undefined;
      }
    },
    lines(path) {
      if (strict) return undefined;
      let count = 0;
      return {
        isNone: () => count === 0,
        note(line) {
          count += 1;
          if (count <= MOST_TOLD) told.push(`${path}, line ${line} is not a metric value`);
        },
        end() {
          if (count > MOST_TOLD) told.push(`${path}: ${count - MOST_TOLD} more lines are not metric values`);
        },
      };
    },
  };
}
