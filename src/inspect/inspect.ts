import { type JobOptions, placeOptions, withTempDir } from '../job/job-options.ts';
import { createLedger, failureOf, type Ledger } from '../job/ledger.ts';
import { isChosen } from '../kinds/is-chosen.ts';
import { FURTHER_KINDS } from '../kinds/kinds.ts';
import { toMakeAnew } from '../kinds/made-anew.ts';
import { idOf } from '../kinds/marks.ts';
import { createLeftOut, type Parts, partsOf } from '../kinds/parts.ts';
import type { Failure, Loss } from '../model/findings.ts';
import type { Experiment } from '../model/records.ts';
import { type Selection, wantsWholeExperiments } from '../model/selection.ts';
import { withChosenFiles } from '../places/chosen-files.ts';
import type { ObjectScope } from '../places/objects.ts';
import { openReader, selectionAt } from '../places/open.ts';
import type { PlaceInfo, Reader, RunReader } from '../places/place.ts';
import { searchOf } from '../search/search-of.ts';
import { endsJob } from '../util/ends-job.ts';
import { asMlferryError } from '../util/errors.ts';
import { mapConcurrent } from '../util/map-concurrent.ts';

/** Counts of an experiment, or of all; what was not asked for is absent. Sizes in bytes. */
export interface Counts {
  runs: number;
  statuses: Record<string, number>;
  metric_keys: number;
  points?: number;
  artifacts?: number;
  artifact_bytes?: number;
}

/** How many objects of a kind there are, and their files. Sizes in bytes. */
export interface ObjectAmount {
  count: number;
  /** Not counted above, as it was asked for. */
  left_out?: number;
  artifacts?: number;
  artifact_bytes?: number;
}

/** What a place holds. */
export interface Summary {
  readonly place: PlaceInfo;
  readonly experiments: ReadonlyArray<
    Counts & Pick<Experiment, 'experiment_id' | 'name' | 'lifecycle_stage'>
  >;
  readonly total: Counts;
  /** The further kinds that the place holds, by the key of the kind. */
  readonly objects?: Readonly<Record<string, ObjectAmount>>;
  readonly losses: readonly Loss[];
  readonly failures: readonly Failure[];
}

const CHUNK = 100;

/** Reads a place through and counts. Nothing is written. */
export async function inspect(location: string, options: JobOptions = {}): Promise<Summary> {
  const selection: Selection = selectionAt(location, options.selection);
  searchOf(selection);
  const parts = partsOf(options);
  const { metrics, artifacts } = parts;
  const ledger = createLedger();
  const zero = (): Counts => ({
    runs: 0,
    statuses: {},
    metric_keys: 0,
    ...(metrics ? { points: 0 } : {}),
    ...(artifacts ? { artifacts: 0, artifact_bytes: 0 } : {}),
  });
  return withTempDir(options.tempDir, async (tempDir) => {
    const shared = placeOptions(options, tempDir, ledger, 'from');
    const reader = await openReader(location, { ...shared, eitherSide: true });
    try {
      const total = zero();
      const experiments: Array<Summary['experiments'][number]> = [];
      const read: Experiment[] = [];
      const runs = new Set<string>();
      for await (const experiment of reader.experiments(selection)) {
        read.push(experiment);
        const counts = zero();
        const countRun = async (source: RunReader) => {
          runs.add(source.run.run_id);
          try {
            await addRun(withChosenFiles(source, parts.files), [counts, total], metrics, artifacts);
          } catch (error) {
            const known = asMlferryError(error);
            if (endsJob(known)) throw known;
            ledger.failure(failureOf({ kind: 'run', id: source.run.run_id }, known));
          }
        };
        await mapConcurrent(prefetched(reader, experiment, selection, metrics), shared.concurrency, countRun);
        if (counts.runs === 0 && !wantsWholeExperiments(selection)) continue;
        const { experiment_id, name, lifecycle_stage } = experiment;
        experiments.push({ experiment_id, name, lifecycle_stage, ...counts });
      }
      const isRead = (kind: string, id: string) =>
        kind === 'run'
          ? runs.has(id)
          : read.some(({ experiment_id }) => kind === 'experiment' && experiment_id === id);
      const scope = { selection, experiments: read, isChosen: isRead, isHeld: isRead };
      const objects = await countObjects(reader, scope, parts, ledger);
      return {
        place: reader.info,
        experiments,
        total,
        ...(Object.keys(objects).length === 0 ? {} : { objects }),
        losses: ledger.losses,
        failures: ledger.failures,
      };
    } finally {
      await reader.close();
    }
  });
}

async function* prefetched(reader: Reader, experiment: Experiment, selection: Selection, metrics: boolean) {
  let chunk: RunReader[] = [];
  const ready = () => {
    const full = chunk;
    chunk = [];
    if (metrics && full.length > 0) reader.prefetch?.(full);
    return full;
  };
  for await (const run of reader.runs(experiment, selection)) {
    chunk.push(run);
    if (chunk.length >= CHUNK) yield* ready();
  }
  yield* ready();
}

/** Objects of the further kinds that belong to the selection. */
async function countObjects(
  reader: Reader,
  given: ObjectScope,
  parts: Parts,
  ledger: Ledger,
): Promise<Record<string, ObjectAmount>> {
  const { artifacts } = parts.objects;
  const isOut = createLeftOut(parts);
  const found: Record<string, ObjectAmount> = {};
  const read = new Set<string>();
  const isRead = (kind: string, id: string) => read.has(`${kind} ${id}`) || given.isChosen(kind, id);
  const scope = { ...given, isChosen: isRead, isHeld: isRead };
  for (const of of FURTHER_KINDS) {
    const source = reader.objects?.get(of.kind);
    if (source === undefined) continue;
    try {
      for await (const object of source.read(scope)) {
        if (object.belongs !== true && !isChosen(of, object.record, scope.selection, scope.isChosen))
          continue;
        const leftOut = isOut(of, idOf(of, object.record), object.record);
        const amount = found[of.counted] ?? {
          count: 0,
          ...(artifacts && of.artifacts ? { artifacts: 0, artifact_bytes: 0 } : {}),
        };
        found[of.counted] = amount;
        if (leftOut) {
          amount.left_out = (amount.left_out ?? 0) + 1;
          continue;
        }
        await object.report?.();
        amount.count += 1;
        read.add(`${of.kind} ${idOf(of, object.record)}`);
        if (of.madeAnew === true) ledger.loss({ ...toMakeAnew(of, object.record), left_behind: false });
        if (amount.artifacts === undefined) continue;
        for await (const { size } of withChosenFiles(object, parts.files).artifacts()) {
          amount.artifacts += 1;
          amount.artifact_bytes = (amount.artifact_bytes ?? 0) + (size ?? 0);
        }
      }
    } catch (error) {
      const known = asMlferryError(error);
      if (endsJob(known)) throw known;
      ledger.failure(failureOf(of.words.many, known));
    }
  }
  return found;
}

async function addRun(
  source: RunReader,
  all: readonly Counts[],
  metrics: boolean,
  artifacts: boolean,
): Promise<void> {
  const { status, latest_metrics } = source.run;
  let points = source.checkedPoints ?? 0;
  if (metrics && source.checkedPoints === undefined)
    for await (const piece of source.metrics()) points += piece.points.length;
  let files = 0;
  let bytes = 0;
  if (artifacts) {
    for await (const entry of source.artifacts()) {
      files += 1;
      bytes += entry.size ?? 0;
    }
  }
  for (const counts of all) {
    counts.runs += 1;
    counts.statuses[status] = (counts.statuses[status] ?? 0) + 1;
    counts.metric_keys += Object.keys(latest_metrics).length;
    if (counts.points !== undefined) counts.points += points;
    if (counts.artifacts !== undefined) counts.artifacts += files;
    if (counts.artifact_bytes !== undefined) counts.artifact_bytes += bytes;
  }
}
