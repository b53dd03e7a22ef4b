import { z } from 'zod';
import type { Experiment } from '../../../model/records.ts';
import { byCreation } from '../../reading/reading-order.ts';
import { numericId, optionalInteger, stage, text } from './cells.ts';
import { checkedRows, inWorkspace, pairsOf, type Store } from './store.ts';

const COLUMNS = [
  'experiment_id',
  'name',
  'artifact_location',
  'lifecycle_stage',
  'creation_time',
  'last_update_time',
];

const experimentRow = z.object({
  experiment_id: numericId,
  name: text,
  artifact_location: text,
  lifecycle_stage: stage,
  creation_time: optionalInteger,
  last_update_time: optionalInteger,
});

/** What experiments are read with. */
type Rows = Pick<Store, 'database' | 'tables' | 'workspace'>;

/** All experiments of the workspace, of any stage, without their tags, in the order of their creation. */
export async function readExperiments(store: Rows): Promise<Experiment[]> {
  const { where, parameters } = inWorkspace(store, 'experiments');
  const rows = await checkedRows(
    store,
    experimentRow,
    `SELECT ${store.tables.columns('experiments', COLUMNS)} FROM "experiments" WHERE ${where}`,
    parameters,
  );
  return rows
    .map(
      ({ creation_time, last_update_time, ...row }): Experiment => ({
        kind: 'experiment',
        ...row,
        ...(creation_time === undefined ? {} : { creation_time }),
        ...(last_update_time === undefined ? {} : { last_update_time }),
        tags: {},
      }),
    )
    .sort(byCreation);
}

/** Experiments with their tags. */
export async function withTags(
  store: Pick<Store, 'database' | 'tables'>,
  experiments: readonly Experiment[],
): Promise<Experiment[]> {
  const ids = experiments.map(({ experiment_id }) => experiment_id);
  const tagsOf = await pairsOf(store, { table: 'experiment_tags', own: 'experiment_id' }, ids);
  return experiments.map((experiment) => ({ ...experiment, tags: tagsOf(experiment.experiment_id) }));
}
