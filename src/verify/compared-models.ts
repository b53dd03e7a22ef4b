import { kindOf } from '../kinds/kinds.ts';
import { idOf } from '../kinds/marks.ts';
import { linksOf, MODEL, type ModelLinks } from '../kinds/model-links.ts';
import type { RunIds } from '../kinds/remap.ts';
import type { RunLoss } from '../model/fit-run.ts';
import { OWN_DIRECTORY } from '../model/own-files.ts';
import type { Experiment } from '../model/records.ts';
import { NO_FILES } from '../places/artifact-owner.ts';
import { hasFiles } from '../places/has-files.ts';
import { type HeldModels, modelPathsIn } from '../places/model-directories.ts';
import {
  type ModelsOfRuns,
  modelsAreInRuns,
  modelsOfRuns,
  NO_MODELS,
  withModels,
} from '../places/models-in-runs.ts';
import type { Reader, RunReader } from '../places/place.ts';
import { mapConcurrent } from '../util/map-concurrent.ts';
import type { ComparedParts } from './compare-run.ts';
import type { ComparisonFrame } from './comparison-frame.ts';
import { kindOrListed } from './kind-or-listed.ts';

/** Logged models of the source whose place on the target is among the files of their runs. */
export interface ComparedModels extends ModelsOfRuns {
  /** Finds the directories of the models of runs. To be called for all selected runs that made some, before the rest is asked for. */
  find(runs: readonly RunReader[], held: HeldModelsOf): Promise<void>;
  /** Model → where it is, of the models of a run that were found. */
  directoriesOf(run_id: string): ReadonlyMap<string, string>;
  /** The run that a model was found with. */
  runOf(model_id: string): string | undefined;
  /** Model → URI of its directory on the target, of those that have files and whose run is there. */
  uris(runIds: RunIds): Map<string, string>;
}

/** Where the models of a source run are in its copy. */
export type HeldModelsOf = (source_run_id: string) => HeldModels | undefined;

/** The models of a source; `undefined` where the target holds them as objects, or not at all. */
export async function modelsIn(
  source: Reader,
  target: Reader,
  experiments: ReadonlyArray<{ readonly source: Experiment }>,
  frame: ComparisonFrame,
): Promise<ComparedModels | undefined> {
  if (!modelsAreInRuns(target, frame.parts)) return undefined;
  const sources = experiments.map((mapped) => mapped.source);
  let models = NO_MODELS;
  await kindOrListed(kindOf(MODEL), frame, async () => {
    models = await modelsOfRuns(source, frame.selection, sources);
  });
  const directories = new Map<string, ReadonlyMap<string, string>>();
  const found = new Map<string, { readonly run_id: string; readonly path: string | undefined }>();
  return {
    ...models,
    find: (runs, held) =>
      mapConcurrent(runs, frame.concurrency, async (run) => {
        const { run_id } = run.run;
        const own = models.of(run.run);
        const paths = await modelPathsIn(run, own, held(run_id));
        directories.set(run_id, paths);
        for (const model of own) {
          const id = idOf(model.of, model.record);
          const path = paths.get(id);
          if (path !== undefined) found.set(id, { run_id, path: (await hasFiles(model)) ? path : undefined });
        }
      }),
    directoriesOf: (run_id) => directories.get(run_id) ?? new Map(),
    runOf: (model_id) => found.get(model_id)?.run_id,
    uris: (runIds) =>
      new Map(
        [...found].flatMap(([id, { run_id, path }]) => {
          const copy = runIds.get(run_id);
          return copy === undefined || path === undefined ? [] : [[id, `runs:/${copy}/${path}`] as const];
        }),
      ),
  };
}

/** A source run as its copy must be, with its own models. */
export interface RunWithItsModels {
  readonly wanted: RunReader;
  readonly links: ModelLinks;
  readonly losses: readonly RunLoss[];
  /** Where the models are in it, of a run whose other files are not compared; `undefined`: there are none, or all files are. */
  readonly directories?: ReadonlySet<string>;
}

/** A run as the target must hold it: where that has no logged models with its own among its files. */
export async function withItsModels(
  source: RunReader,
  models: ComparedModels | undefined,
  { keepModelFiles, artifacts }: ComparedParts,
): Promise<RunWithItsModels> {
  if (models === undefined) return { wanted: source, links: linksOf({}), losses: [] };
  const own = models.of(source.run);
  const carried = artifacts ? source : { ...source, artifacts: NO_FILES.artifacts };
  const { reader, links, losses, paths } = await withModels(carried, own, {
    directories: models.directoriesOf(source.run.run_id),
    keepModelFiles,
    fail(_, error) {
      throw error;
    },
  });
  const directories = new Set([
    OWN_DIRECTORY.slice(0, -1),
    ...[...paths.values()].flatMap((path) => path ?? []),
  ]);
  return { wanted: reader, links, losses, ...(artifacts || own.length === 0 ? {} : { directories }) };
}
