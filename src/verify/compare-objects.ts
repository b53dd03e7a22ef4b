import type { IdMap } from '../kinds/id-map.ts';
import { isChosen } from '../kinds/is-chosen.ts';
import type { ObjectKind, ObjectRecord } from '../kinds/kind.ts';
import { FURTHER_KINDS } from '../kinds/kinds.ts';
import { findMadeAnew, toMakeAnew } from '../kinds/made-anew.ts';
import { idOf, nameOf } from '../kinds/marks.ts';
import { remapModelFiles } from '../kinds/model-files.ts';
import { MODEL } from '../kinds/model-links.ts';
import { carriesFiles, createLeftOut } from '../kinds/parts.ts';
import { boundTo, remapObject } from '../kinds/remap-object.ts';
import { ORIGIN_TAG, originId } from '../model/canonical.ts';
import type { Experiment } from '../model/records.ts';
import { ALL_ACTIVE, OBJECT_FILTERS, wantsWholeExperiments } from '../model/selection.ts';
import { ownValue, stringMap } from '../model/string-map.ts';
import { hasFiles } from '../places/has-files.ts';
import type { ObjectReader, ObjectSource } from '../places/objects.ts';
import type { Reader } from '../places/place.ts';
import { appendAll } from '../util/append-all.ts';
import { endsJob } from '../util/ends-job.ts';
import { asMlferryError } from '../util/errors.ts';
import { compareArtifacts } from './compare-artifacts.ts';
import type { ComparedIds } from './compared-ids.ts';
import type { ComparisonFrame } from './comparison-frame.ts';
import { OF_OBJECT } from './damage.ts';
import { kindOrListed } from './kind-or-listed.ts';
import { recordDifferences } from './record-differences.ts';

/** The target's objects of the further kinds by kind and by the id of their source. */
export type Copies = ReadonlyMap<string, ReadonlyMap<string, ObjectReader>>;

/** Finds the copies of the further kinds in the target's experiments, and notes their ids in `known`. */
export async function findCopies(
  source: Reader,
  target: Reader,
  known: ComparedIds,
  frame: ComparisonFrame,
): Promise<Copies> {
  const all = new Map<string, ReadonlyMap<string, ObjectReader>>();
  for (const of of FURTHER_KINDS) {
    const to = target.objects?.get(of.kind);
    if (to === undefined || source.objects?.has(of.kind) !== true) continue;
    await kindOrListed(of, frame, async () => {
      const copies = await copiesOf(of, to, source, target, known.targets);
      for (const [id, copy] of copies) known.ids.of(of.kind).set(id, idOf(of, copy.record));
      all.set(of.kind, copies);
    });
  }
  return all;
}

/** Compares the objects of the further kinds, kind after kind. A kind that the target cannot hold is an expected loss. */
export async function compareObjects(
  source: Reader,
  target: Reader,
  known: ComparedIds,
  all: Copies,
  frame: ComparisonFrame,
): Promise<void> {
  const isOut = createLeftOut(frame.parts);
  for (const of of FURTHER_KINDS) {
    const from = source.objects?.get(of.kind);
    const copies = all.get(of.kind);
    const unreadable = copies === undefined && target.objects?.has(of.kind) === true;
    if (from === undefined || unreadable) continue;
    await kindOrListed(of, frame, () => compareKind(of, from, source, target, known, copies, isOut, frame));
  }
}

async function compareKind(
  of: ObjectKind,
  from: ObjectSource,
  source: Reader,
  target: Reader,
  known: ComparedIds,
  copies: ReadonlyMap<string, ObjectReader> | undefined,
  isOut: ReturnType<typeof createLeftOut>,
  frame: ComparisonFrame,
): Promise<void> {
  const { selection, book, expected, signal, parts } = frame;
  const to = target.objects?.get(of.kind);
  const seen = new Set<string>();
  const isSeen = (kind: string, id: string) => known.chosen.of(kind).has(id);
  const isHeld = (kind: string, id: string) => known.ids.of(kind).has(id) && carriesFiles(kind, parts);
  const scope = { selection, experiments: known.sources, isChosen: isSeen, isHeld };
  let left = 0;
  const objects = of.kind === MODEL && known.models !== undefined ? known.models.all : from.read(scope);
  for await (const object of objects) {
    signal.throwIfAborted();
    const id = idOf(of, object.record);
    const belongs = object.belongs === true || known.named.of(of.kind).has(id);
    if (!belongs && !isChosen(of, object.record, selection, isSeen)) continue;
    seen.add(id);
    known.chosen.of(of.kind).set(id, id);
    if (isOut(of, id, object.record)) {
      book.leaveOut(of);
      continue;
    }
    await object.report?.();
    const run_id = of.kind === MODEL ? known.models?.runOf(id) : undefined;
    if (run_id !== undefined) {
      // What is of it stands in its run, and was compared with that.
      const symbol = known.ids.of('run').has(run_id) ? '=' : '+';
      book.add({ kind: of.kind, id, name: nameOf(of, object.record), symbol, differences: [] });
      continue;
    }
    if (of.madeAnew === true && target.representation !== undefined) {
      const present = [...(copies?.values() ?? [])].map(({ record }) => record);
      const found = findMadeAnew(of, object.record, present);
      if (found === undefined) expected.loss(toMakeAnew(of, object.record));
      else {
        const pair = { kind: of.kind, id, target_id: idOf(of, found), name: nameOf(of, object.record) };
        book.add({ ...pair, symbol: '=', differences: [] });
      }
      continue;
    }
    if (to === undefined) {
      left += 1;
      continue;
    }
    await comparePair(
      object,
      copies?.get(idOfCopy(object, target, known.ids)),
      to,
      { source, target },
      known.ids,
      frame,
    );
  }
  if (left > 0) {
    const detail = `${target.info.location} cannot hold ${of.words.many}: ${left} stay behind`;
    expected.loss({ code: 'KIND_NOT_HELD', key: of.kind, count: left, detail });
  }
  const isFiltered = OBJECT_FILTERS.some((field) => selection[field] !== undefined);
  if (!wantsWholeExperiments(selection) || selection.experiments.length > 0 || isFiltered) return;
  // What is found by its id alone may be anybody's.
  if (of.foundBy === 'id' && target.representation !== undefined) return;
  for (const [id, { record }] of copies ?? []) {
    if (seen.has(id)) continue;
    const item = { kind: of.kind, id: idOf(of, record), name: nameOf(of, record), differences: [] };
    book.add({
      ...item,
      symbol: '-',
      reason: `a copy of ${of.words.one} ${id}, which the source does not have`,
    });
  }
}

/** The id by which {@link copiesOf} has the copy of an object. */
function idOfCopy({ of, record }: ObjectReader, target: Reader, ids: IdMap): string {
  const id = idOf(of, record);
  if (of.foundBy !== 'id' || target.representation === undefined) return id;
  return idOf(of, remapObject(of, record, { id }, ids));
}

/** The target's objects that are this source's, by the source's id; of kinds that are found by their own id, all by that. */
async function copiesOf(
  of: ObjectKind,
  to: ObjectSource,
  source: Reader,
  target: Reader,
  experiments: readonly Experiment[],
): Promise<Map<string, ObjectReader>> {
  const copies = new Map<string, ObjectReader>();
  const all = () => true;
  const scope = {
    selection: { ...ALL_ACTIVE, view: 'all' as const },
    experiments,
    isChosen: all,
    // What shares files is compared where its source brings some: its copy must show them.
    isHeld: () => false,
  };
  for await (const object of to.read(scope)) {
    const origin = ownValue(tagsOf(object.record), ORIGIN_TAG);
    if (target.representation === undefined || of.foundBy === 'id')
      copies.set(idOf(of, object.record), object);
    else if (origin?.startsWith(`${source.info.fingerprint}/`) === true) {
      // MLflow's copy of a version has the tags of the first one: that is the one of the same id.
      const id = originId(origin);
      if (!copies.has(id) || idOf(of, object.record) === id) copies.set(id, object);
    }
  }
  return copies;
}

async function comparePair(
  source: ObjectReader,
  copy: ObjectReader | undefined,
  to: ObjectSource,
  { source: sourcePlace, target }: { source: Reader; target: Reader },
  ids: IdMap,
  frame: ComparisonFrame,
): Promise<void> {
  const { of } = source;
  const { book, expected, parts, progress } = frame;
  const item = { kind: of.kind, id: idOf(of, source.record), name: nameOf(of, source.record) };
  if (copy === undefined) {
    book.add({ ...item, symbol: '+', differences: [] });
    return;
  }
  const target_id = idOf(of, copy.record);
  try {
    const record = (await source.whole?.()) ?? source.record;
    const present = (await copy.whole?.()) ?? copy.record;
    const keepsIds = target.representation === undefined;
    const bound = keepsIds ? { left: [] } : boundTo(of, record, ids);
    if (bound.left.length > 0) {
      const detail = 'what belongs to objects that are not on the target is left out';
      expected.loss({ code: 'REFERENCE_MISSING', of: item, count: bound.left.length, detail });
    }
    const wanted = keepsIds ? record : remapObject(of, record, { id: target_id }, ids);
    const fitted = to.represent?.(wanted, present) ?? { record: wanted, losses: [] };
    const differences = recordDifferences(of, fitted.record, present, keepsIds).filter(
      ({ field }) => parts.objects.metrics || field !== 'metrics',
    );
    for (const loss of fitted.losses) expected.loss({ ...loss, of: item });
    if (parts.objects.artifacts && of.artifacts && (of.sharesFiles !== true || (await hasFiles(source)))) {
      const root = ({ artifact_uri }: ObjectRecord) => (typeof artifact_uri === 'string' ? artifact_uri : '');
      const from = { kind: of.kind, id: item.id, artifact_uri: root(record) };
      const own = { kind: of.kind, id: target_id, artifact_uri: root(copy.record) };
      const files = keepsIds || parts.keepModelFiles ? source : remapModelFiles(source, from, () => own, ids);
      const found = await compareArtifacts(files, copy, {
        placement: (path) => ({ path }),
        files: parts.files,
        bandwidth: frame.bandwidth,
        quick: parts.quick,
        ownFiles: !keepsIds,
        isHidden: () => false,
        sourceTraits: sourcePlace.traits,
        targetTraits: target.traits,
        onBytes: (count) => progress.amount(0, count),
      });
      appendAll(differences, found.differences);
      for (const loss of found.losses) expected.loss({ ...loss, of: item });
      progress.checked({ points: 0, files: found.files, bytes: found.bytes });
    }
    book.add({ ...item, target_id, symbol: differences.length > 0 ? '*' : '=', differences });
  } catch (error) {
    const known = asMlferryError(error);
    if (endsJob(known, OF_OBJECT)) throw known;
    const reason = `${known.message} (${known.code})`;
    book.add({ ...item, target_id, symbol: '!', differences: [], reason });
  }
}

function tagsOf(record: ObjectRecord): Readonly<Record<string, string>> {
  return stringMap.safeParse(record.tags).data ?? {};
}
