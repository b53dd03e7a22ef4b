import type { KeptRecord } from './kept-records.ts';

/** The records that an earlier attempt left, compared one after another with those that come. */
export interface KeptRow {
  /** Whether this run may be the next but for what comes before it, so that it need not be read yet. */
  mayHold(run_id: string, digest: string): boolean;
  /** Whether the next ones are just these, and need not be read: then they are passed. */
  takes(wanted: readonly Pick<KeptRecord, 'kind' | 'id' | 'digest'>[]): readonly KeptRecord[] | undefined;
  /** Whether the next one is this run, read whole: then it is passed. `all` gives the digest of all its lines. */
  takesRead(run_id: string, digest: string, all: () => Promise<string>): Promise<KeptRecord | undefined>;
  /** Ends the comparison: how many were passed. Nothing is taken from then on. */
  stop(): number;
}

/** A row over what was left, in its order. */
export function createKeptRow(records: readonly KeptRecord[]): KeptRow {
  const runs = new Map(records.filter(({ kind }) => kind === 'run').map((record) => [record.id, record]));
  let next = 0;
  let stopped = records.length === 0;
  return {
    mayHold: (run_id, digest) => {
      const found = stopped ? undefined : runs.get(run_id);
      return found !== undefined && !found.readAgain && found.digest === digest;
    },
    takes: (wanted) => {
      if (stopped) return undefined;
      const here = records.slice(next, next + wanted.length);
      const same =
        here.length === wanted.length &&
        here.every((record, i) => {
          const { kind, id, digest } = wanted[i] ?? { kind: undefined, id: undefined, digest: undefined };
          return record.kind === kind && record.id === id && record.digest === digest && !record.readAgain;
        });
      if (!same) return undefined;
      next += wanted.length;
      return here;
    },
    takesRead: async (run_id, digest, all) => {
      const record = stopped ? undefined : records[next];
      if (record?.kind !== 'run' || record.id !== run_id || record.digest !== digest) return undefined;
      if (record.all !== (await all())) return undefined;
      next += 1;
      return record;
    },
    stop: () => {
      stopped = true;
      return next;
    },
  };
}
