import { isChosen } from '../kinds/is-chosen.ts';
import type { ObjectKind, ObjectRecord } from '../kinds/kind.ts';
import { FURTHER_KINDS, kindOf } from '../kinds/kinds.ts';
import { withoutSecrets } from '../kinds/made-anew.ts';
import { idOf, nameOf, parentIdOf } from '../kinds/marks.ts';
import { remapModelFiles } from '../kinds/model-files.ts';
import { MODEL } from '../kinds/model-links.ts';
import { objectDigest } from '../kinds/object-digest.ts';
import { carriesFiles, createLeftOut } from '../kinds/parts.ts';
import { allReferencesOf, boundTo, remapObject } from '../kinds/remap-object.ts';
import type { FoundObject } from '../model/findings.ts';
import { withChosenFiles } from '../places/chosen-files.ts';
import type { ObjectReader } from '../places/objects.ts';
import { withPacedFiles } from '../places/paced-files.ts';
import { MlferryError } from '../util/errors.ts';
import { mapConcurrent } from '../util/map-concurrent.ts';
import { partDigest } from './carried-run.ts';
import { madeAnewFinder } from './make-anew.ts';
import type { Pass } from './pass.ts';
import type { ObjectCounts } from './report.ts';
import { targetExperiment } from './stale-runs.ts';

/**
 * Copies the objects of the further kinds, kind after kind in the order of the table, so that what an object refers to
 * is there before it. A kind that the target cannot hold is counted and reported as one loss. What fails for one object
 * is listed.
 */
export async function copyObjects(pass: Pass): Promise<void> {
  const { parts } = pass.options;
  const isOut = createLeftOut(parts);
  const openParent = parentOpener(pass);
  const findAnew = madeAnewFinder(pass);
  const copyWithParent = async (object: ObjectReader) => {
    if (object.of.madeAnew === true && !pass.writer.traits.keepsIds) return findAnew(object);
    if (object.of.madeAnew === true) pass.options.ledger.loss(withoutSecrets(object.of, object.record));
    await openParent(object);
    await copyObject(pass, object);
  };
  for (const of of FURTHER_KINDS) {
    const source = pass.reader.objects?.get(of.kind);
    if (source === undefined) continue;
    const scope = {
      selection: pass.options.selection,
      experiments: pass.experiments,
      isChosen: (kind: string, id: string) => isSeen(pass, kind, id),
      isHeld: (kind: string, id: string) => pass.ids.of(kind).has(id) && carriesFiles(kind, parts),
    };
    try {
      // What names another object of its kind goes after those, which are there by then.
      const postponed: ObjectReader[] = [];
      const { concurrency } = pass.options;
      /** The last object of each parent, where those of one go one after another. */
      const last = new Map<string, Promise<void>>();
      const objects =
        of.kind === MODEL && pass.models !== undefined ? listed(pass.models.all) : source.read(scope);
      await mapConcurrent(
        wholeFor(pass, wanted(pass, chosen(pass, objects), isOut)),
        concurrency,
        async (object) => {
          const parent = of.ordered === true ? parentIdOf(of, object.record) : undefined;
          if (parent !== undefined) {
            const done = (last.get(parent) ?? Promise.resolve()).then(() => copyWithParent(object));
            last.set(parent, done);
            await done;
          } else if (namesOwnKind(pass, object)) postponed.push(object);
          else await copyWithParent(object);
        },
      );
      await mapConcurrent(postponed, concurrency, (object) => copyWithParent(object));
    } catch (error) {
      pass.kindFailed(of, error);
    }
    reportNotHeld(pass, of);
  }
}

/**
 * Brings the experiment of an object along: where runs are chosen one by one, only those of chosen runs are there. What keeps it
 * from being made is told of the object.
 */
function parentOpener(pass: Pass): (object: ObjectReader) => Promise<void> {
  const opened = new Map<string, Promise<unknown>>();
  return async ({ of, record }) => {
    const id = of.within === 'experiment' ? parentIdOf(of, record) : undefined;
    if (id === undefined || pass.ids.of('experiment').has(id) || !pass.writer.objects?.has(of.kind)) return;
    const source = pass.experiments.find(({ experiment_id }) => experiment_id === id);
    if (source === undefined) return;
    const opening =
      opened.get(id) ?? targetExperiment(pass, source).catch((error) => pass.experimentFailed(source, error));
    opened.set(id, opening);
    await opening;
  };
}

function namesOwnKind({ ids, writer }: Pass, { of, record }: ObjectReader): boolean {
  if (writer.traits.keepsIds) return false;
  return allReferencesOf(of, record).some(({ kind, id }) => kind === of.kind && !ids.of(kind).has(id));
}

function isSeen({ ids, seen }: Pass, kind: string, id: string): boolean {
  return ids.of(kind).has(id) || seen.of(kind).has(id);
}

/** The objects that belong to the selection. */
async function* chosen(pass: Pass, objects: AsyncIterable<ObjectReader>): AsyncGenerator<ObjectReader> {
  for await (const object of objects)
    if (
      object.belongs === true ||
      pass.named.of(object.of.kind).has(idOf(object.of, object.record)) ||
      isChosen(object.of, object.record, pass.options.selection, (kind, id) => isSeen(pass, kind, id))
    )
      yield object;
}

/** Without what is left out by wish, which is counted. It belongs to the selection all the same: others may name it. */
async function* wanted(
  pass: Pass,
  objects: AsyncIterable<ObjectReader>,
  isOut: ReturnType<typeof createLeftOut>,
): AsyncGenerator<ObjectReader> {
  for await (const object of objects) {
    const { of, record } = object;
    const id = idOf(of, record);
    if (isOut(of, id, record)) {
      pass.objectCounts(of).left_out += 1;
      pass.seen.of(of.kind).set(id, id);
    } else {
      await object.report?.();
      yield object;
    }
  }
}

/** A place that keeps records as they are gets them whole, in the order of the source. */
async function* wholeFor(pass: Pass, objects: AsyncIterable<ObjectReader>): AsyncGenerator<ObjectReader> {
  const { writer, options } = pass;
  for await (const object of objects) {
    const { of, whole } = object;
    if (whole === undefined || !writer.traits.keepsIds || options.dryRun) {
      yield object;
      continue;
    }
    let record: ObjectRecord;
    try {
      record = await whole();
    } catch (error) {
      const counts = pass.objectCounts(of);
      counts.read += 1;
      counts.failed += 1;
      pass.objectFailed(
        { kind: of.kind, id: idOf(of, object.record), name: nameOf(of, object.record) },
        error,
      );
      continue;
    }
    yield { ...object, record };
  }
}

async function copyObject(pass: Pass, object: ObjectReader): Promise<void> {
  const { signal, ledger, journal, parts, bandwidth } = pass.options;
  const { of } = object;
  const carries = (found: ObjectRecord) => (parts.objects.metrics ? found : withoutMetrics(found));
  const record = carries(object.record);
  const source = withPacedFiles({ ...object, record }, bandwidth);
  if (signal.aborted) throw new MlferryError('INTERRUPTED', 'Interrupted');
  const id = idOf(of, record);
  const counts = pass.objectCounts(of);
  counts.read += 1;
  pass.seen.of(of.kind).set(id, id);
  const write = pass.writer.objects?.get(of.kind);
  const ref = { kind: of.kind, id, name: nameOf(of, record) };
  if (write === undefined) {
    countUnwritten(pass, counts, ref, record);
    return;
  }
  const { keepsIds } = pass.writer.traits;
  try {
    const notes = keepsIds ? undefined : journal;
    const inDoubt = notes?.isInDoubt(ref) ?? false;
    await notes?.intent(ref);
    const bound = keepsIds ? { record, left: [] } : boundTo(of, record, pass.ids);
    const from = { kind: of.kind, id, artifact_uri: rootOf(record) };
    let own = from;
    const carried = parts.objects.artifacts
      ? withChosenFiles(source, parts.files, (loss) => ledger.loss({ ...loss, of: ref }))
      : { ...source, artifacts: nothing };
    const files =
      keepsIds || parts.keepModelFiles ? carried : remapModelFiles(carried, from, () => own, pass.ids);
    const written = await write(files, {
      origin: `${pass.reader.info.fingerprint}/${id}`,
      digest: partDigest(of, objectDigest(of, bound.record), parts),
      inDoubt,
      remap(target) {
        if (keepsIds) return record;
        own = { kind: of.kind, artifact_uri: '', ...target };
        return remapObject(of, record, own, pass.ids);
      },
      async whole(target) {
        const late = source.whole === undefined ? record : carries(await source.whole());
        if (keepsIds) return late;
        own = { kind: of.kind, artifact_uri: '', ...target };
        return remapObject(of, late, own, pass.ids);
      },
    });
    await notes?.done(ref, written.id);
    counts[written.outcome] += 1;
    pass.counts.sent.artifacts += written.artifacts;
    pass.counts.sent.artifact_bytes += written.bytes;
    pass.ids.of(of.kind).set(id, written.id);
    if (bound.left.length > 0) {
      ledger.loss({
        code: 'REFERENCE_MISSING',
        of: ref,
        count: bound.left.length,
        detail: `what belongs to objects that are not on the target is left out: ${someOf(bound.left.map((other) => `${other.kind} ${other.id}`))}`,
      });
    }
    const kept = keepsIds
      ? []
      : allReferencesOf(of, bound.record).filter((other) => !pass.ids.of(other.kind).has(other.id));
    if (kept.length > 0) {
      ledger.loss({
        code: 'REFERENCE_KEPT',
        of: ref,
        count: kept.length,
        detail: `it names objects that are not on the target and keeps their source ids: ${someOf(kept.map((other) => `${other.kind} ${other.id}`))}`,
      });
    }
  } catch (error) {
    counts.failed += 1;
    pass.objectFailed(ref, error);
  }
}

/** An object that is with its run, failed with it, or stays behind. */
function countUnwritten(
  { inRuns, failed, models, options }: Pass,
  counts: ObjectCounts,
  of: FoundObject,
  record: ObjectRecord,
): void {
  const ofRun = allReferencesOf(kindOf(of.kind), record).some(
    ({ kind, id }) => kind === 'run' && failed.has(id),
  );
  const outcome = inRuns.get(of.id) ?? (failed.has(of.id) || ofRun ? 'failed' : 'not_held');
  counts[outcome] += 1;
  if (outcome !== 'not_held' || of.kind !== MODEL || models === undefined) return;
  const detail =
    'the target holds models among the files of their runs only: no run that made this one is copied';
  options.ledger.loss({ code: 'KIND_NOT_HELD', key: of.kind, of, detail });
}

/** Values that were measured of a model are left behind with those of the runs. */
function withoutMetrics(record: ObjectRecord): ObjectRecord {
  return Array.isArray(record.metrics) ? { ...record, metrics: [] } : record;
}

const rootOf = ({ artifact_uri }: ObjectRecord) => (typeof artifact_uri === 'string' ? artifact_uri : '');

async function* nothing(): AsyncGenerator<never> {}

function reportNotHeld(pass: Pass, of: ObjectKind): void {
  const not_held = pass.objects.get(of.counted)?.not_held ?? 0;
  // Each model without a run is told by itself, and what people make anew.
  if (not_held === 0 || of.madeAnew === true || (of.kind === MODEL && pass.models !== undefined)) return;
  pass.options.ledger.loss({
    code: 'KIND_NOT_HELD',
    key: of.kind,
    count: not_held,
    detail: `${pass.writer.info.location} cannot hold ${of.words.many}: ${not_held} stay behind`,
  });
}

async function* listed<T>(items: readonly T[]): AsyncGenerator<T> {
  yield* items;
}

const someOf = (texts: readonly string[]) =>
  `${texts.slice(0, 3).join(', ')}${texts.length > 3 ? ', …' : ''}`;
