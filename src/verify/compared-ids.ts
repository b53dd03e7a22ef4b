import { createIdMap, type IdMap } from '../kinds/id-map.ts';
import { MODEL } from '../kinds/model-links.ts';
import type { Experiment } from '../model/records.ts';
import type { ComparedModels } from './compared-models.ts';
import type { TargetIndex } from './target-index.ts';

/** What the comparison of experiments and runs knows of their copies. */
export interface ComparedIds {
  readonly ids: IdMap;
  /** Source ids of what belongs to the selection. */
  readonly chosen: IdMap;
  /** Objects of the further kinds that selected runs name, by their source ids. */
  readonly named: IdMap;
  /** Logged models, where those of a run are among its files on the target. */
  readonly models: ComparedModels | undefined;
  /** Selected experiments of the source, and where they are on the target. */
  readonly sources: readonly Experiment[];
  readonly targets: readonly Experiment[];
}

/** An experiment of the source, its copy, and the ids of its runs. */
interface MappedExperiment {
  readonly source: Experiment;
  readonly target: Experiment | undefined;
  readonly ids: ReadonlySet<string>;
}

/**
 * What is known of the copies of these experiments, their runs, and the models among the files of those. An object of any of
 * `all` may belong to the selection by itself.
 */
export function comparedIds(
  all: readonly MappedExperiment[],
  experiments: readonly MappedExperiment[],
  { runIds }: Pick<TargetIndex, 'runIds'>,
  models: ComparedModels | undefined,
): ComparedIds {
  const ids = createIdMap();
  const chosen = createIdMap();
  for (const { source } of experiments)
    chosen.of('experiment').set(source.experiment_id, source.experiment_id);
  for (const { source, target } of all)
    if (target !== undefined) ids.of('experiment').set(source.experiment_id, target.experiment_id);
  for (const id of experiments.flatMap((mapped) => [...mapped.ids])) {
    chosen.of('run').set(id, id);
    const copy = runIds.get(id);
    if (copy !== undefined) ids.of('run').set(id, copy);
  }
  for (const [id, uri] of models?.uris(runIds) ?? []) ids.of(MODEL).set(id, uri);
  return {
    ids,
    chosen,
    named: createIdMap(),
    models,
    sources: all.map(({ source }) => source),
    targets: [...new Set(all.flatMap(({ target }) => target ?? []))],
  };
}
