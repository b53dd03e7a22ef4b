import type { KeptRecord } from './kept-records.ts';

/** What an object is known by; `files` where its source lists them. */
export interface Head extends Pick<KeptRecord, 'kind' | 'id' | 'digest'> {
  readonly files?: { readonly sizes: string | undefined };
}
type Named = Pick<Head, 'kind' | 'id'>;

/** The records that an earlier attempt left, compared one after another with those that come. */
export interface KeptRow {
  /** Whether this object may be the next but for what comes before it, so that it need not be read yet. */
  mayHold(wanted: Head): boolean;
  /** Whether the next ones are just these, and need not be read: then they are passed. */
  takes(wanted: readonly Head[]): readonly KeptRecord[] | undefined;
  /** Whether the next one is this object, read whole: then it is passed. `all` gives the digest of all its lines. */
  takesRead(wanted: Named, all: () => Promise<string>): Promise<KeptRecord | undefined>;
  /** Ends the comparison: how many were passed. Nothing is taken from then on. */
  stop(): number;
}

/** A row over what was left, in its order. */
export function createKeptRow(records: readonly KeptRecord[]): KeptRow {
  const byName = new Map(records.map((record) => [keyOf(record), record]));
  let next = 0;
  let stopped = records.length === 0;
  return {
    mayHold: (wanted) => {
      const found = stopped ? undefined : byName.get(keyOf(wanted));
      return found !== undefined && isIt(found, wanted);
    },
    takes: (wanted) => {
      if (stopped) return undefined;
      const here = records.slice(next, next + wanted.length);
      const same =
        here.length === wanted.length &&
        here.every((record, i) => {
          const one = wanted[i];
          return one !== undefined && keyOf(record) === keyOf(one) && isIt(record, one);
        });
      if (!same) return undefined;
      next += wanted.length;
      return here;
    },
    takesRead: async (wanted, all) => {
      const record = stopped ? undefined : records[next];
      if (record === undefined || keyOf(record) !== keyOf(wanted)) return undefined;
      // Its own line too may be another one once all is read: of a run whose files cannot be.
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

const keyOf = ({ kind, id }: Named) => `${kind} ${id}`;

/** Whether nothing tells that an object has become another one. */
const isIt = (kept: KeptRecord, { digest, files }: Head) =>
  !kept.readAgain && kept.digest === digest && (files === undefined || kept.files === files.sizes);
