import { createHash, type Hash } from 'node:crypto';
import type { End, WireRecord } from '../../model/records.ts';

/** Counts and hashes record lines. */
export interface Tally {
  lines(bytes: Uint8Array): void;
  count(kind: keyof Counts, by: number): void;
  record(record: WireRecord): void;
  /** The end record of all lines so far. */
  end(): End;
  /** Another one that goes on from here by itself. */
  copy(): Tally;
}

type Counts = Record<'experiments' | 'runs' | 'points' | 'artifacts', number>;

/** A tally of no lines yet. */
export function createTally(): Tally {
  return tallyOf(createHash('sha256'), { experiments: 0, runs: 0, points: 0, artifacts: 0 }, 0);
}

function tallyOf(hash: Hash, counts: Counts, start: number): Tally {
  let bytes = start;
  return {
    lines: (line) => {
      hash.update(line);
      bytes += line.length;
    },
    count: (kind, by) => {
      counts[kind] += by;
    },
    record: (record) => {
      if (record.kind === 'experiment') counts.experiments += 1;
      if (record.kind === 'run') counts.runs += 1;
      if (record.kind === 'metrics') counts.points += record.points.length;
      if (record.kind === 'artifact') counts.artifacts += 1;
    },
    end: () => ({ kind: 'end', ...counts, bytes, sha256: hash.copy().digest('hex') }),
    copy: () => tallyOf(hash.copy(), { ...counts }, bytes),
  };
}
