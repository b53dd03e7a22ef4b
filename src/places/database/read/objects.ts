import type { ObjectSource } from '../../objects.ts';
import { evaluationDatasetRecords, evaluationDatasets } from './evaluation-datasets.ts';
import { loggedModels } from './logged-models.ts';
import { MADE_ANEW, madeAnew } from './made-anew.ts';
import { modelVersions, registeredModels } from './registry.ts';
import { scorers } from './scorers.ts';
import type { Store } from './store.ts';
import { traces } from './traces.ts';

/** Which table has the objects of a kind, and what reads them. */
const SOURCES: ReadonlyArray<readonly [kind: string, table: string, source: (store: Store) => ObjectSource]> =
  [
    ['logged_model', 'logged_models', loggedModels],
    ['registered_model', 'registered_models', registeredModels],
    ['model_version', 'model_versions', modelVersions],
    ['trace', 'trace_info', traces],
    ['scorer', 'scorers', scorers],
    ['evaluation_dataset', 'evaluation_datasets', evaluationDatasets],
    ['evaluation_dataset_record', 'evaluation_dataset_records', evaluationDatasetRecords],
  ];

/** The further kinds that this version of MLflow keeps in its database. */
export function objectSources(store: Store): ReadonlyMap<string, ObjectSource> {
  return new Map(
    [
      ...SOURCES,
      ...MADE_ANEW.map(
        ([kind, table, read]) => [kind, table, (own: Store) => madeAnew(own, kind, read)] as const,
      ),
    ].flatMap(([kind, table, source]) => (store.tables.has(table) ? [[kind, source(store)] as const] : [])),
  );
}
