import type { ObjectRecord } from '../kinds/kind.ts';
import { FURTHER_KINDS, kindOf } from '../kinds/kinds.ts';
import { idOf, parentIdOf } from '../kinds/marks.ts';
import { toJson } from '../model/json.ts';
import { type Experiment, type Run, run as runSchema } from '../model/records.ts';
import { ALL_ACTIVE, type Selection } from '../model/selection.ts';
import type { ObjectReader } from '../places/objects.ts';
import type { PlaceInfo, Reader, RunReader } from '../places/place.ts';
import { createRecordTable, type RecordTable, type Row } from './record-table.ts';

/** How long what was read of a place that may change is taken for what it holds, in ms. */
const FRESH = 5000;

/** A kind of object that a place holds, by its word in the table of kinds. */
export const RUN = 'run';

/** What a server answers from: the records of a place, looked up and searched without reading it again. */
export interface ServedPlace {
  readonly info: PlaceInfo;
  /** Reads all records of a place that cannot change; of others they are read when they are asked for. To be called first. */
  ready(): Promise<void>;
  /** All experiments, the oldest first. */
  experiments(): Promise<readonly Experiment[]>;
  /** One run by its whole id. */
  run(run_id: string): Promise<Run | undefined>;
  /** The same, to read its points and files. */
  runReader(run_id: string): Promise<RunReader | undefined>;
  /** Runs that fit a filter that asks for histories: ids. */
  runsByHistory(experiments: readonly Experiment[], filter: string): Promise<ReadonlySet<string>>;
  /** One object of a further kind. `parent`: the experiment or registered model it lives in, where that is known. */
  object(kind: string, id: string): Promise<ObjectRecord | undefined>;
  /** The same, to read its files and what comes late. */
  objectReader(kind: string, id: string): Promise<ObjectReader | undefined>;
  /** The records of a kind within these experiments (of kinds that live in one), or all. Its `pass` changes when they may have. */
  records(
    kind: string,
    experiment_ids?: readonly string[],
  ): Promise<{ readonly table: RecordTable; readonly pass: string }>;
  close(): Promise<void>;
}

const EVERYTHING: Selection = { ...ALL_ACTIVE, view: 'all' };

/**
 * Makes a place that is served of its reader. One that cannot change is read once, others again when what is known is older
 * than some seconds. `tempDir` takes the records.
 */
export function createServedPlace(reader: Reader, tempDir: string): ServedPlace {
  const table = createRecordTable(tempDir);
  const isFixed = !reader.traits.ownFingerprint;
  const once = atMostEvery(isFixed ? Number.POSITIVE_INFINITY : FRESH);
  const runOf = (text: string) => runSchema.parse(JSON.parse(text));

  let known: readonly Experiment[] = [];
  const experiments = async () => {
    await once('experiments', async () => {
      const found: Experiment[] = [];
      for await (const experiment of reader.experiments(EVERYTHING)) found.push(experiment);
      known = found;
    });
    return known;
  };
  const experimentsOf = async (ids: readonly string[]) => {
    const wanted = new Set(ids);
    return (await experiments()).filter(({ experiment_id }) => wanted.has(experiment_id));
  };
  const scopeOf = (within: readonly Experiment[]) => ({
    selection: EVERYTHING,
    experiments: within,
    isChosen: () => true,
    // Files of a version are given whatever else has them.
    isHeld: () => false,
  });

  async function* runRows(experiment: Experiment): AsyncGenerator<Row> {
    for await (const { run } of reader.runs(experiment, EVERYTHING))
      yield {
        id: run.run_id,
        parent: run.experiment_id,
        stage: run.lifecycle_stage,
        start: run.start_time,
        record: toJson(run),
      };
  }

  async function* objectRows(kind: string, within: readonly Experiment[]): AsyncGenerator<Row> {
    for await (const { of, record } of reader.objects?.get(kind)?.read(scopeOf(within)) ?? [])
      yield {
        id: idOf(of, record),
        parent: parentIdOf(of, record) ?? '',
        // What comes late, or may be long, is read when it is asked for.
        record: toJson('spans' in record ? { ...record, spans: [] } : record),
      };
  }

  const readRuns = (experiment: Experiment) =>
    once(`${RUN} ${experiment.experiment_id}`, () =>
      table.replace(RUN, experiment.experiment_id, runRows(experiment)),
    );
  const readObjects = (kind: string, experiment?: Experiment) =>
    once(`${kind} ${experiment?.experiment_id ?? ''}`, async () => {
      const within = experiment === undefined ? await experiments() : [experiment];
      await table.replace(kind, experiment?.experiment_id, objectRows(kind, within));
    });

  const livesInExperiment = (kind: string) => kind === RUN || kindOf(kind).within === 'experiment';

  const read = async (kind: string, within: readonly Experiment[]) => {
    if (!livesInExperiment(kind)) return readObjects(kind);
    // One after another: each may be long.
    for (const experiment of within)
      await (kind === RUN ? readRuns(experiment) : readObjects(kind, experiment));
  };

  async function runReader(run_id: string): Promise<RunReader | undefined> {
    const selection = { ...EVERYTHING, runs: [run_id] };
    const home = isFixed ? table.get(RUN, run_id) : undefined;
    if (isFixed && home === undefined) return undefined;
    const homes = home === undefined ? undefined : await experimentsOf([runOf(home).experiment_id]);
    for await (const experiment of homes ?? reader.experiments(selection))
      for await (const found of reader.runs(experiment, selection))
        if (found.run.run_id === run_id) return found;
    return undefined;
  }

  const object = async (kind: string, id: string) => {
    if (!isFixed) await read(kind, await experiments());
    const text = table.get(kind, id);
    return text === undefined ? undefined : kindOf(kind).schema.parse(JSON.parse(text));
  };

  return {
    info: reader.info,
    experiments,
    async ready() {
      if (!isFixed) return;
      await read(RUN, await experiments());
      for (const { kind } of FURTHER_KINDS) await read(kind, await experiments());
    },
    run: async (run_id) => {
      if (!isFixed) return (await runReader(run_id))?.run;
      const text = table.get(RUN, run_id);
      return text === undefined ? undefined : runOf(text);
    },
    runReader,
    async runsByHistory(within, filter) {
      const ids = new Set<string>();
      for (const experiment of within)
        for await (const { run } of reader.runs(experiment, { ...EVERYTHING, filter })) ids.add(run.run_id);
      return ids;
    },
    object,
    async objectReader(kind, id) {
      const record = await object(kind, id);
      if (record === undefined) return undefined;
      const of = kindOf(kind);
      const within = of.within === 'experiment' ? await experimentsOf([parentIdOf(of, record) ?? '']) : [];
      for await (const found of reader.objects?.get(kind)?.read({ ...scopeOf(within), ids: new Set([id]) }) ??
        [])
        if (idOf(of, found.record) === id) return found;
      return undefined;
    },
    async records(kind, experiment_ids) {
      const within = experiment_ids === undefined ? await experiments() : await experimentsOf(experiment_ids);
      await read(kind, within);
      return { table, pass: isFixed ? '' : String(table.pass()) };
    },
    async close() {
      table.close();
      await reader.close();
    },
  };
}

/** Runs a task by its key, unless it ran or began no longer ago than this many ms. */
function atMostEvery(ms: number): (key: string, task: () => Promise<void>) => Promise<void> {
  const known = new Map<string, { readonly since: number; readonly done: Promise<void> }>();
  return (key, task) => {
    const last = known.get(key);
    if (last !== undefined && Date.now() - last.since < ms) return last.done;
    const done = task();
    known.set(key, { since: Date.now(), done });
    // What failed is tried again.
    done.catch(() => known.delete(key));
    return done;
  };
}
