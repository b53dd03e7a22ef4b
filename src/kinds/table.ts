import { evaluationDataset, evaluationDatasetRecord } from '../model/evaluation-dataset.ts';
import { loggedModel } from '../model/logged-model.ts';
import { PROMPT_TAG } from '../model/mlflow/tags.ts';
import { experiment, run } from '../model/records.ts';
import { modelVersion, registeredModel } from '../model/registered-model.ts';
import { scorer } from '../model/scorer.ts';
import { trace } from '../model/trace.ts';
import type { ObjectKind } from './kind.ts';
import { MODEL_URI } from './model-links.ts';

/**
 * Every kind of object that mlferry carries, in the order in which they are copied and stand in files: what an object
 * refers to comes before it. A further kind is a folder beside this file and one entry here; a place that can hold it
 * has a file for it, and every other place reports it as lost by itself.
 */
export const KINDS: readonly ObjectKind[] = [
  {
    kind: 'experiment',
    words: { one: 'experiment', many: 'experiments' },
    counted: 'experiments',
    since: 1,
    schema: experiment,
    name: 'name',
    artifacts: false,
  },
  {
    kind: 'run',
    words: { one: 'run', many: 'runs' },
    counted: 'runs',
    since: 1,
    schema: run,
    name: 'run_name',
    within: 'experiment',
    artifacts: true,
    mention: /\bruns:\/+([\w-]+)/g,
  },
  {
    kind: 'logged_model',
    words: { one: 'logged model', many: 'logged models' },
    counted: 'logged_models',
    since: 2,
    parts: [{ word: 'models' }],
    filter: 'model_filter',
    schema: loggedModel,
    name: 'name',
    within: 'experiment',
    artifacts: true,
    mention: MODEL_URI,
  },
  {
    kind: 'registered_model',
    words: { one: 'registered model', many: 'registered models' },
    counted: 'registered_models',
    since: 2,
    parts: [{ word: 'prompts', tag: PROMPT_TAG }, { word: 'registry' }],
    filter: 'registered_model_filter',
    schema: registeredModel,
    name: 'name',
    artifacts: false,
  },
  {
    kind: 'model_version',
    words: { one: 'model version', many: 'model versions' },
    counted: 'model_versions',
    since: 2,
    filter: 'model_version_filter',
    schema: modelVersion,
    name: 'name',
    within: 'registered_model',
    chosenBy: 'references',
    ordered: true,
    sharesFiles: true,
    artifacts: true,
  },
  {
    kind: 'trace',
    words: { one: 'trace', many: 'traces' },
    counted: 'traces',
    since: 3,
    parts: [{ word: 'traces' }],
    filter: 'trace_filter',
    schema: trace,
    name: 'trace_id',
    within: 'experiment',
    artifacts: true,
  },
  {
    kind: 'scorer',
    words: { one: 'scorer', many: 'scorers' },
    counted: 'scorers',
    since: 3,
    parts: [{ word: 'scorers' }],
    schema: scorer,
    name: 'scorer_name',
    within: 'experiment',
    ordered: true,
    foundBy: 'id',
    artifacts: false,
  },
  {
    kind: 'evaluation_dataset',
    words: { one: 'evaluation dataset', many: 'evaluation datasets' },
    counted: 'evaluation_datasets',
    since: 3,
    parts: [{ word: 'datasets' }],
    schema: evaluationDataset,
    name: 'name',
    artifacts: false,
  },
  {
    kind: 'evaluation_dataset_record',
    words: { one: 'evaluation dataset record', many: 'evaluation dataset records' },
    counted: 'evaluation_dataset_records',
    since: 3,
    schema: evaluationDatasetRecord,
    name: 'input_hash',
    within: 'evaluation_dataset',
    foundBy: 'id',
    artifacts: false,
  },
];
