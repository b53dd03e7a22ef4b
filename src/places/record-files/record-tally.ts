import { createHash, type Hash } from 'node:crypto';
import { KINDS } from '../../kinds/kinds.ts';
import type { End, WireRecord } from '../../kinds/wire-record.ts';

/** Counts and hashes record lines. */
export interface Tally {
  lines(bytes: Uint8Array): void;
  /** Objects of a kind, or what its record is called in the end record. */
  count(what: string, by: number): void;
  record(record: WireRecord): void;
  /** The end record of all lines so far. */
  end(): End;
  /** Another one that goes on from here by itself. */
  copy(): Tally;
}

/** Counts by the key of a kind, and of `points` and `artifacts`. */
type Counts = Map<string, number>;

/** A tally of no lines yet. */
export function createTally(): Tally {
  return tallyOf(createHash('sha256'), new Map(), 0);
}

function tallyOf(hash: Hash, counts: Counts, start: number): Tally {
  let bytes = start;
  const count = (what: string, by: number) => counts.set(what, (counts.get(what) ?? 0) + by);
  return {
    lines: (line) => {
      hash.update(line);
      bytes += line.length;
    },
    count,
    record: (record) => {
      const counted = countedOf(record);
      if (counted !== undefined) count(counted.what, counted.by);
    },
    end: () => endOf(counts, bytes, hash.copy().digest('hex')),
    copy: () => tallyOf(hash.copy(), new Map(counts), bytes),
  };
}

/** What a line adds to the counts. */
function countedOf(record: WireRecord): { what: string; by: number } | undefined {
  if (record.kind === 'metrics') return { what: 'points', by: record.points.length };
  if (record.kind === 'artifact' || record.kind === 'object_artifact') return { what: 'artifacts', by: 1 };
  const name = record.kind === 'object' ? record.of.kind : record.kind;
  const what = KINDS.find(({ kind }) => kind === name)?.counted;
  return what === undefined ? undefined : { what, by: 1 };
}

function endOf(counts: Counts, bytes: number, sha256: string): End {
  const of = (what: string) => counts.get(what) ?? 0;
  const further = KINDS.filter(({ since, counted }) => since > 1 && of(counted) > 0);
  return {
    kind: 'end',
    ...{ experiments: of('experiments'), runs: of('runs'), points: of('points'), artifacts: of('artifacts') },
    ...(further.length === 0
      ? {}
      : { objects: Object.fromEntries(further.map(({ counted }) => [counted, of(counted)])) }),
    ...{ bytes, sha256 },
  };
}
