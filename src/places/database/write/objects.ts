import { MODEL } from '../../../kinds/model-links.ts';
import { REGISTERED_MODEL, VERSION } from '../../../kinds/model-registry.ts';
import type { ObjectWriter } from '../../objects.ts';
import type { Target } from './target.ts';
import type { TargetExperiments } from './target-experiments.ts';
import { datasetRecordWriter } from './write-dataset-record.ts';
import { evaluationDatasetWriter } from './write-evaluation-dataset.ts';
import { loggedModelWriter } from './write-logged-model.ts';
import { registryWriter } from './write-registry.ts';
import { scorerWriter } from './write-scorer.ts';
import { traceWriter } from './write-trace.ts';

/** What writes the further kinds that this version of MLflow keeps in its database. */
export function objectWriters(
  target: Target,
  experiments: TargetExperiments,
): ReadonlyMap<string, ObjectWriter> {
  const { tables } = target;
  const registry = registryWriter(target);
  return new Map([
    [REGISTERED_MODEL.kind, registry.models],
    [VERSION.kind, registry.versions],
    ...(tables.has('logged_models') && tables.has('inputs', 'step')
      ? [[MODEL, loggedModelWriter(target, experiments)] as const]
      : []),
    ...(tables.has('trace_info') ? [['trace', traceWriter(target, experiments)] as const] : []),
    ...(tables.has('scorers') ? [['scorer', scorerWriter(target)] as const] : []),
    ...(tables.has('evaluation_datasets')
      ? [
          ['evaluation_dataset', evaluationDatasetWriter(target)] as const,
          ['evaluation_dataset_record', datasetRecordWriter(target)] as const,
        ]
      : []),
  ]);
}
