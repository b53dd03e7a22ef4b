import type { Readable } from 'node:stream';
import { describeObject, FURTHER_KINDS } from '../../kinds/kinds.ts';
import { idOf } from '../../kinds/marks.ts';
import type { WireRecord } from '../../kinds/wire-record.ts';
import type { Loss } from '../../model/findings.ts';
import { lossesOf } from '../../model/left-behind.ts';
import type { MetricsRecord } from '../../model/metrics-line.ts';
import { latestPoints } from '../../model/mlflow/latest-points.ts';
import type { Experiment, Run } from '../../model/records.ts';
import {
  globMatcher,
  namesRun,
  type Selection,
  selectsExperiment,
  selectsRun,
} from '../../model/selection.ts';
import { MlferryError } from '../../util/errors.ts';
import type { ArtifactEntry } from '../artifact-owner.ts';
import type { ObjectReader, ObjectScope } from '../objects.ts';
import type { PlaceInfo, Reader, RunReader } from '../place.ts';
import type { PlaceOptions } from '../place-options.ts';
import { countHidden, heldRunsLike, reportMissing } from '../reading/held-experiments.ts';
import { byCreation, byStart } from '../reading/reading-order.ts';
import { type RunSource, selectingReader } from '../selecting/selecting-reader.ts';
import type { IndexedObject, IndexedRun, RecordIndex } from './record-index.ts';
import { decodeRecords } from './record-lines.ts';
import { RECORD_TRAITS } from './traits.ts';

/** Checked record lines that can be read again from anywhere, and the bytes they refer to. */
export interface RecordStore {
  readonly index: RecordIndex;
  /** The lines from one offset to another, see {@link IndexedRun}. */
  bytes(start: number, end: number): AsyncIterable<Uint8Array>;
  /** Whether the bytes of all artifacts with a sha256 were checked when the store was opened. */
  readonly hasCheckedBytes: boolean;
  /** `owner` names what the file belongs to, in errors. */
  open(artifact: ArtifactEntry, owner: string): Promise<Readable | undefined>;
  close(): Promise<void>;
}

/**
 * The reader over checked record lines, of a stream or an archive. What the selection names and the records do not
 * hold goes to the findings as NOT_FOUND. When nobody vouches for the lines, each run's `latest_metrics` is made anew
 * from its points.
 */
export function recordedReader(info: PlaceInfo, store: RecordStore, options: PlaceOptions): Reader {
  const { index } = store;
  const { findings } = options;
  const experiments = index.experiments.toSorted((a, b) => byCreation(a.experiment, b.experiment));
  const runsById = new Map(experiments.map(({ experiment, runs }) => [experiment.experiment_id, runs]));
  const runsOf = (id: string) => runsById.get(id) ?? [];

  const told = new Set<string>();
  const reportIncomplete = ({ run_id, incomplete }: Run, { name }: Experiment) => {
    if (incomplete !== true || told.has(run_id)) return;
    told.add(run_id);
    const detail = 'the run could not be read whole when this was written: something of it is missing';
    findings.loss({ code: 'RUN_INCOMPLETE', experiment_name: name, run_id, detail });
  };

  const reportLeftBehind = (selection: Selection) => {
    for (const loss of index.leftBehind.flatMap(lossesOf)) {
      const own = JSON.stringify(loss);
      if (told.has(own) || !mayConcern(loss, selection, index)) continue;
      told.add(own);
      findings.loss(loss);
    }
  };

  const source: RunSource = {
    info,
    traits: RECORD_TRAITS,
    taken: index.header.selection,
    experiments: async function* (selection) {
      reportLeftBehind(selection);
      reportMissing(selection, index.experiments, info.location, findings);
      for (const { experiment, runs } of experiments) {
        if (!selectsExperiment(selection, experiment)) continue;
        if (selection.runs.length > 0 && !runs.some(({ run_id }) => namesRun(selection, run_id))) continue;
        yield experiment;
      }
    },
    runs: async function* (experiment, selection) {
      const ids = new Set(selection.runs);
      const wanted = runsOf(experiment.experiment_id).filter(
        (run) => selectsRun({ ...selection, runs: [] }, run) && (ids.size === 0 || ids.has(run.run_id)),
      );
      for (const at of wanted.sort(byStart)) {
        const reader = await runReader(store, info.location, at);
        yield { ...reader, report: () => reportIncomplete(reader.run, experiment) };
      }
    },
    runsLike: (selection, start) => heldRunsLike(experiments, selection, start),
    hiddenRuns: async ({ experiment_id }, selection) => countHidden(runsOf(experiment_id), selection),
    objects: new Map(
      FURTHER_KINDS.map(({ kind }) => [
        kind,
        { read: (scope) => objectReaders(store, info.location, index.objects.get(kind) ?? [], scope) },
      ]),
    ),
    close: () => store.close(),
  };
  return selectingReader(source, options);
}

async function* recordsOf(
  store: RecordStore,
  where: string,
  { start, end }: { start: number; end: number },
  number: number,
): AsyncGenerator<WireRecord> {
  const from = { number, offset: start };
  for await (const { record } of decodeRecords(store.bytes(start, end), where, from)) yield record;
}

/** The file lines in a range, whatever owns them. */
async function* filesOf(
  store: RecordStore,
  where: string,
  range: { start: number; end: number },
  number: number,
): AsyncGenerator<ArtifactEntry> {
  for await (const record of recordsOf(store, where, range, number)) {
    if (record.kind !== 'artifact' && record.kind !== 'object_artifact') continue;
    const { path, size, sha256 } = record;
    yield sha256 === undefined ? { path, size } : { path, size, sha256 };
  }
}

async function* objectReaders(
  store: RecordStore,
  where: string,
  objects: readonly IndexedObject[],
  { experiments, ids }: ObjectScope,
): AsyncGenerator<ObjectReader> {
  const chosen = new Set(experiments.map(({ experiment_id }) => experiment_id));
  for (const at of objects) {
    const { of, id, parent, number, offset, artifacts } = at;
    if (of.within === 'experiment' && !chosen.has(parent ?? '')) continue;
    if (ids?.has(id) === false) continue;
    const owner = describeObject({ kind: of.kind, id });
    for await (const line of recordsOf(store, where, { start: offset, end: artifacts.start }, number)) {
      if (line.kind !== 'object' || idOf(line.of, line.record) !== id) {
        throw new MlferryError(
          'CORRUPT',
          `${where} changed while it was being read: line ${number} is not the ${owner}`,
        );
      }
      yield {
        of,
        record: line.record,
        hasCheckedBytes: store.hasCheckedBytes,
        artifacts: () => filesOf(store, where, artifacts, number + 1),
        open: (artifact) => store.open(artifact, owner),
      };
    }
  }
}

async function runReader(store: RecordStore, where: string, at: IndexedRun): Promise<RunReader> {
  const metrics = async function* (): AsyncGenerator<MetricsRecord> {
    for await (const record of recordsOf(store, where, at.metrics, at.number + 1)) {
      if (record.kind === 'metrics') yield record;
    }
  };
  const line = { start: at.offset, end: Math.min(at.metrics.start, at.artifacts.start) };
  let run: Run | undefined;
  for await (const record of recordsOf(store, where, line, at.number))
    if (record.kind === 'run') run = record;
  if (run?.run_id !== at.run_id) {
    throw new MlferryError(
      'CORRUPT',
      `${where} changed while it was being read: line ${at.number} is not the run ${at.run_id}`,
    );
  }
  const found = store.index.vouched ? run : { ...run, latest_metrics: await latestPoints(metrics()) };
  return {
    run: found,
    hasCheckedBytes: store.hasCheckedBytes,
    checkedPoints: store.index.vouched && at.hasLatest ? at.points : undefined,
    metrics: async function* () {
      for await (const { key, points } of metrics()) yield { key, points };
    },
    artifacts: () => filesOf(store, where, at.artifacts, at.number + 1),
    fileList: async () => at.files,
    open: (artifact) => store.open(artifact, `run ${found.run_id}`),
  };
}

/** Whether something that was left behind may belong to a selection: it is told unless it surely does not. */
function mayConcern({ experiment_name, run_id }: Loss, selection: Selection, index: RecordIndex): boolean {
  if (run_id !== undefined && !namesRun(selection, run_id)) return false;
  if (experiment_name === undefined || selection.experiments.length === 0) return true;
  const ids = index.experiments.flatMap(({ experiment: { name, experiment_id } }) =>
    name === experiment_name ? [experiment_id] : [],
  );
  return selection.experiments.some((text) => ids.includes(text) || globMatcher(text)(experiment_name));
}
