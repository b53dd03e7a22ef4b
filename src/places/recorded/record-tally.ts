import { createHash } from 'node:crypto';
import type { End, WireRecord } from '../../model/records.ts';

/** Counts and hashes record lines; `end` gives the end record of all lines so far. */
export function createTally(): {
  lines(bytes: Uint8Array): void;
  count(kind: 'experiments' | 'runs' | 'points' | 'artifacts', by: number): void;
  record(record: WireRecord): void;
  end(): End;
} {
  const hash = createHash('sha256');
  const counts = { experiments: 0, runs: 0, points: 0, artifacts: 0 };
  let bytes = 0;
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
  };
}
