import type { ObjectRecord } from '../kinds/kind.ts';
import { findMadeAnew, toMakeAnew } from '../kinds/made-anew.ts';
import { idOf } from '../kinds/marks.ts';
import { allRecords } from '../places/all-records.ts';
import type { ObjectReader } from '../places/objects.ts';
import type { Pass } from './pass.ts';

/**
 * Looks for an object that nobody can copy among those that the target has by itself. One that is not there is told with all
 * that is known of it, so that people can make it anew.
 */
export function madeAnewFinder(pass: Pass): (object: ObjectReader) => Promise<void> {
  const held = new Map<string, Promise<readonly ObjectRecord[]>>();
  return async ({ of, record }) => {
    const source = pass.writer.madeAnew?.get(of.kind);
    const present = held.get(of.kind) ?? (source === undefined ? Promise.resolve([]) : allRecords(source));
    held.set(of.kind, present);
    const id = idOf(of, record);
    const counts = pass.objectCounts(of);
    counts.read += 1;
    pass.seen.of(of.kind).set(id, id);
    const found = findMadeAnew(of, record, await present);
    if (found !== undefined) {
      counts.unchanged += 1;
      pass.ids.of(of.kind).set(id, idOf(of, found));
      return;
    }
    counts.not_held += 1;
    pass.options.ledger.loss(toMakeAnew(of, record));
  };
}
