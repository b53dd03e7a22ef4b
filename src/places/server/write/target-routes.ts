import type { Int64 } from '../../../model/int64.ts';
import type { DatasetInput, Experiment, Run } from '../../../model/records.ts';
import type { StringMap } from '../../../model/string-map.ts';
import { MlferryError } from '../../../util/errors.ts';
import { type Route, routes } from '../connect/routes.ts';
import type { TrackingClient } from '../connect/tracking-client.ts';
import { listDirectory } from '../read/artifact-pages.ts';
import { searchExperiments, searchRunPages, type ViewType } from '../read/searches.ts';
import type { Batch } from './log-batches.ts';

/** What `runs/create` sets; the rest follows in other requests. */
export interface NewRun {
  readonly experiment_id: string;
  readonly run_name: string;
  readonly user_id: string;
  readonly start_time: Int64 | null;
  readonly tags: StringMap;
}

/** The requests of the writing side. In a dry run the changing ones are not sent: `changes` is false then. */
export interface TargetRoutes {
  /** Whether changing requests are sent. */
  readonly changes: boolean;
  /** `undefined`: there is none. Deleted experiments are found too. */
  experimentByName(name: string): Promise<Experiment | undefined>;
  getRun(run_id: string): Promise<Run>;
  /** All runs of an experiment, or of several, that the filter lets through, deleted ones too; page by page. */
  searchRuns(experiment_ids: readonly string[], filter: string): AsyncGenerator<readonly Run[]>;
  /** One directory of a run's artifacts; `size` is undefined for a directory. */
  listArtifacts(
    run_id: string,
    directory: string,
  ): Promise<ReadonlyArray<{ path: string; size: number | undefined }>>;
  /** Creates are not repeated where the first may have landed: the error says so, the caller looks first. */
  createExperiment(name: string, tags: StringMap): Promise<string>;
  createRun(run: NewRun): Promise<Run>;
  setExperimentTag(experiment_id: string, key: string, value: string): Promise<void>;
  restoreExperiment(experiment_id: string): Promise<void>;
  deleteExperiment(experiment_id: string): Promise<void>;
  renameExperiment(experiment_id: string, new_name: string): Promise<void>;
  /** Since 3.0; UNSUPPORTED before. */
  deleteExperimentTag(experiment_id: string, key: string): Promise<void>;
  /** `repeat: false`: where the batch may have landed the error is thrown. */
  logBatch(run_id: string, batch: Batch, repeat: boolean): Promise<void>;
  logInputs(run_id: string, inputs: readonly DatasetInput[]): Promise<void>;
  updateRun(
    run_id: string,
    change: { status?: Run['status']; end_time?: Int64; run_name?: string },
  ): Promise<void>;
  deleteTag(run_id: string, key: string): Promise<void>;
  deleteRun(run_id: string): Promise<void>;
  restoreRun(run_id: string): Promise<void>;
}

const PAGE = 250;

/** Routes of a tracking server as a target. */
export function targetRoutes(client: TrackingClient, dryRun: boolean): TargetRoutes {
  const pairs = (map: StringMap) => Object.entries(map).map(([key, value]) => ({ key, value }));

  /** The one door for everything that changes the target. */
  async function change<T>(route: Route<T>, body: object, repeat = true): Promise<T> {
    if (dryRun) throw new MlferryError('BUG', `A dry run wanted to send ${route.path}`);
    return client.call(route, { body, repeat });
  }

  /** A change whose answer says nothing; left out in a dry run. */
  async function tell(route: Route<unknown>, body: object, repeat = true): Promise<void> {
    if (!dryRun) await change(route, body, repeat);
  }

  let deleted: Promise<Map<string, Experiment>> | undefined;
  /** Deleted experiments by name, as they were when first asked for: a pass deletes only at its end. */
  function deletedExperiments(): Promise<Map<string, Experiment>> {
    deleted ??= byName(client, 'DELETED_ONLY');
    return deleted;
  }

  return {
    changes: !dryRun,
    async experimentByName(name) {
      const query = { experiment_name: name };
      try {
        return (await client.call(routes.experimentByName, { query })).experiment;
      } catch (error) {
        if (!(error instanceof MlferryError)) throw error;
        const sql = client.server.store_type === 'SqlStore';
        // FileStores up to 2.x tell only of active ones here (and would make a second one), and stumble over quotes.
        if (error.code === 'NOT_FOUND') return sql ? undefined : (await deletedExperiments()).get(name);
        if (error.code !== 'REFUSED' || sql) throw error;
        return (await byName(client, 'ALL')).get(name);
      }
    },
    async getRun(run_id) {
      return (await client.call(routes.run, { query: { run_id } })).run.run;
    },
    async *searchRuns(experiment_ids, filter) {
      const query = { experiment_ids, filter, run_view_type: 'ALL' as const };
      for await (const page of searchRunPages(client, query, PAGE)) yield page.map(({ run }) => run);
    },
    async listArtifacts(run_id, directory) {
      return (await listDirectory(client, run_id, directory)).map(({ path, is_dir, file_size }) => ({
        path,
        size: is_dir ? undefined : Number(file_size ?? 0),
      }));
    },
    async createExperiment(name, tags) {
      return (await change(routes.createExperiment, { name, tags: pairs(tags) }, false)).experiment_id;
    },
    async createRun({ start_time, tags, ...run }) {
      const body = { ...run, ...(start_time === null ? {} : { start_time }), tags: pairs(tags) };
      return (await change(routes.createRun, body, false)).run.run;
    },
    setExperimentTag: (experiment_id, key, value) =>
      tell(routes.setExperimentTag, { experiment_id, key, value }),
    restoreExperiment: (experiment_id) => tell(routes.restoreExperiment, { experiment_id }),
    deleteExperiment: (experiment_id) => tell(routes.deleteExperiment, { experiment_id }),
    renameExperiment: (experiment_id, new_name) => tell(routes.updateExperiment, { experiment_id, new_name }),
    deleteExperimentTag: (experiment_id, key) => tell(routes.deleteExperimentTag, { experiment_id, key }),
    logBatch: (run_id, batch, repeat) => tell(routes.logBatch, { run_id, ...batch }, repeat),
    logInputs: (run_id, inputs) =>
      tell(routes.logInputs, {
        run_id,
        datasets: inputs.map(({ dataset, tags }) => ({ dataset, tags: pairs(tags) })),
      }),
    updateRun: (run_id, update) => tell(routes.updateRun, { run_id, ...update }),
    deleteTag: (run_id, key) => tell(routes.deleteTag, { run_id, key }),
    deleteRun: (run_id) => tell(routes.deleteRun, { run_id }),
    restoreRun: (run_id) => tell(routes.restoreRun, { run_id }),
  };
}

/** A removal (or a restore of an experiment) that is repeated finds nothing to do: the first try, whose answer was lost, did it. */
export async function unlessMissing(request: Promise<void>): Promise<void> {
  try {
    await request;
  } catch (error) {
    if (!(error instanceof MlferryError) || error.code !== 'NOT_FOUND') throw error;
  }
}

async function byName(client: TrackingClient, view: ViewType): Promise<Map<string, Experiment>> {
  const found = new Map<string, Experiment>();
  for await (const experiment of searchExperiments(client, view)) found.set(experiment.name, experiment);
  return found;
}
