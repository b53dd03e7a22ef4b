import { isChosen } from '../kinds/is-chosen.ts';
import type { ObjectKind } from '../kinds/kind.ts';
import { FURTHER_KINDS } from '../kinds/kinds.ts';
import { idOf, nameOf } from '../kinds/marks.ts';
import { allReferencesOf, remapObject } from '../kinds/remap-object.ts';
import type { ObjectReader } from '../places/place.ts';
import { MlferryError } from '../util/errors.ts';
import { mapConcurrent } from '../util/map-concurrent.ts';
import type { Pass } from './pass.ts';

/**
 * Copies the objects of the further kinds, kind after kind in the order of the table, so that what an object refers to
 * is there before it. A kind that the target cannot hold is counted and reported as one loss. What fails for one object
 * is listed.
 */
export async function copyObjects(pass: Pass): Promise<void> {
  for (const of of FURTHER_KINDS) {
    const source = pass.reader.objects?.get(of.kind);
    if (source === undefined) continue;
    const scope = { selection: pass.options.selection, experiments: pass.experiments };
    try {
      await mapConcurrent(chosen(pass, source.read(scope)), pass.options.concurrency, (object) =>
        copyObject(pass, object),
      );
    } catch (error) {
      pass.kindFailed(of, error);
    }
    reportNotHeld(pass, of);
  }
}

/** The objects that belong to the selection. */
async function* chosen(pass: Pass, objects: AsyncIterable<ObjectReader>): AsyncGenerator<ObjectReader> {
  const { ids, seen } = pass;
  const isSeen = (kind: string, id: string) => ids.of(kind).has(id) || seen.of(kind).has(id);
  for await (const object of objects)
    if (isChosen(object.of, object.record, pass.options.selection, isSeen)) yield object;
}

async function copyObject(pass: Pass, source: ObjectReader): Promise<void> {
  const { of, record } = source;
  const { signal, ledger, journal, parts } = pass.options;
  if (signal.aborted) throw new MlferryError('INTERRUPTED', 'Interrupted');
  const id = idOf(of, record);
  const counts = pass.objectCounts(of);
  counts.read += 1;
  pass.seen.of(of.kind).set(id, id);
  const write = pass.writer.objects?.get(of.kind);
  if (write === undefined) {
    counts.not_held += 1;
    return;
  }
  const ref = { kind: of.kind, id, name: nameOf(of, record) };
  const { keepsIds } = pass.writer.traits;
  try {
    const notes = keepsIds ? undefined : journal;
    const inDoubt = notes?.isInDoubt(ref) ?? false;
    await notes?.intent(ref);
    const carried = parts.artifacts ? source : { ...source, artifacts: nothing };
    const written = await write(carried, {
      origin: `${pass.reader.info.fingerprint}/${id}`,
      inDoubt,
      remap: (own) => (keepsIds ? record : remapObject(of, record, own, pass.ids)),
    });
    await notes?.done(ref, written.id);
    counts[written.outcome] += 1;
    pass.counts.sent.artifacts += written.artifacts;
    pass.counts.sent.artifact_bytes += written.bytes;
    pass.ids.of(of.kind).set(id, written.id);
    const kept = keepsIds
      ? []
      : allReferencesOf(of, record).filter((other) => !pass.ids.of(other.kind).has(other.id));
    if (kept.length > 0) {
      ledger.loss({
        code: 'REFERENCE_KEPT',
        of: ref,
        count: kept.length,
        detail: `it names objects that are not on the target and keeps their source ids: ${listed(kept.map((other) => `${other.kind} ${other.id}`))}`,
      });
    }
  } catch (error) {
    counts.failed += 1;
    pass.objectFailed(ref, error);
  }
}

async function* nothing(): AsyncGenerator<never> {}

function reportNotHeld(pass: Pass, of: ObjectKind): void {
  const { not_held } = pass.objectCounts(of);
  if (not_held === 0) return;
  pass.options.ledger.loss({
    code: 'KIND_NOT_HELD',
    key: of.kind,
    count: not_held,
    detail: `${pass.writer.info.location} cannot hold ${of.words.many}: ${not_held} stay behind`,
  });
}

const listed = (texts: readonly string[]) =>
  `${texts.slice(0, 3).join(', ')}${texts.length > 3 ? ', …' : ''}`;
