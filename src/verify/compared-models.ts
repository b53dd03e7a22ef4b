import { kindOf } from '../kinds/kinds.ts';
import { linksOf, MODEL, type ModelLinks } from '../kinds/model-links.ts';
import type { RunIds } from '../kinds/remap.ts';
import type { RunLoss } from '../model/fit-run.ts';
import type { Experiment } from '../model/records.ts';
import {
  type ModelsOfRuns,
  modelDirectories,
  modelsAreInRuns,
  modelsOfRuns,
  NO_MODELS,
  withModels,
} from '../places/models-in-runs.ts';
import type { Reader, RunReader } from '../places/place.ts';
import type { ComparedParts } from './compare-run.ts';
import type { ComparisonFrame } from './comparison-frame.ts';
import { kindOrListed } from './kind-or-listed.ts';

/** Logged models of the source whose place on the target is among the files of their runs. */
export interface ComparedModels extends ModelsOfRuns {
  /** Finds the directories of a run's models. To be called for each selected run, before the rest is asked for. */
  find(run: RunReader): Promise<void>;
  /** The run that a model was found with. */
  runOf(model_id: string): string | undefined;
  /** Model → URI of its directory on the target, of those that have files and whose run is there. */
  uris(runIds: RunIds): Map<string, string>;
}

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
  const found = new Map<string, { readonly run_id: string; readonly path: string | undefined }>();
  return {
    ...models,
    async find(run) {
      const { run_id } = run.run;
      for (const [id, path] of await modelDirectories(run, models.of(run.run)))
        found.set(id, { run_id, path });
    },
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

/** A run as the target must hold it: where that has no logged models with its own among its files. */
export async function withItsModels(
  source: RunReader,
  models: ComparedModels | undefined,
  { keepModelFiles }: ComparedParts,
): Promise<{ wanted: RunReader; links: ModelLinks; losses: readonly RunLoss[] }> {
  if (models === undefined) return { wanted: source, links: linksOf({}), losses: [] };
  const { reader, links, losses } = await withModels(source, models.of(source.run), {
    whole: source,
    keepModelFiles,
    fail(_, error) {
      throw error;
    },
  });
  return { wanted: reader, links, losses };
}
