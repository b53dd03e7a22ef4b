import type { SearchKind, Subject } from './expression.ts';

/** What a field of a record is compared as. */
export type FieldType = 'text' | 'number';

/** What can be searched of one kind of object. */
export interface SearchSubjects {
  /** MLflow's words for what stands before the first dot. */
  readonly entities: ReadonlyMap<string, Subject['entity']>;
  readonly attributes: ReadonlyMap<string, FieldType>;
  /** Other names of attributes. */
  readonly aliases: ReadonlyMap<string, string>;
}

function words<T extends string>(meaning: T, ...names: readonly string[]): Array<readonly [string, T]> {
  return names.map((name) => [name, meaning]);
}

const METRICS = words('metric', 'metric', 'metrics');
const PARAMS = words('param', 'parameter', 'parameters', 'param', 'params');
const TAGS = words('tag', 'tag', 'tags');
const ATTRIBUTES = words('attribute', 'attribute', 'attributes', 'attr');

/** MLflow's fields of each kind, and ours. */
const SUBJECTS: Readonly<Record<SearchKind, SearchSubjects>> = {
  runs: {
    entities: new Map<string, Subject['entity']>([
      ...METRICS,
      ...PARAMS,
      ...TAGS,
      ...ATTRIBUTES,
      ['run', 'attribute'],
      ...words('dataset', 'dataset', 'datasets'),
    ]),
    // `experiment_id`, `lifecycle_stage` and `deleted_time` are ours.
    attributes: new Map([
      ...words<FieldType>('text', 'run_id', 'run_name', 'user_id', 'status', 'artifact_uri'),
      ...words<FieldType>('text', 'experiment_id', 'lifecycle_stage'),
      ...words<FieldType>('number', 'start_time', 'end_time', 'deleted_time'),
    ]),
    aliases: new Map([
      ...words('start_time', 'created', 'Created'),
      ...words('run_name', 'run name', 'Run name', 'Run Name'),
    ]),
  },
  experiments: {
    // MLflow knows `attribute`, `tag` and `tags` here; the others are ours.
    entities: new Map<string, Subject['entity']>([...TAGS, ...ATTRIBUTES, ['experiment', 'attribute']]),
    // `lifecycle_stage` and `artifact_location` are ours.
    attributes: new Map([
      ...words<FieldType>('text', 'name', 'experiment_id', 'lifecycle_stage', 'artifact_location'),
      ...words<FieldType>('number', 'creation_time', 'last_update_time'),
    ]),
    aliases: new Map(),
  },
  'logged models': {
    // MLflow knows the plurals here.
    entities: new Map<string, Subject['entity']>([...METRICS, ...PARAMS, ...TAGS, ...ATTRIBUTES]),
    // MLflow's column `status` is a number there; here it is the word.
    attributes: new Map([
      ...words<FieldType>(
        'text',
        'name',
        'model_id',
        'model_type',
        'status',
        'source_run_id',
        'experiment_id',
      ),
      ...words<FieldType>('number', 'creation_timestamp_ms', 'last_updated_timestamp_ms'),
    ]),
    aliases: new Map([
      ...words('creation_timestamp_ms', 'creation_timestamp', 'creation_time'),
      ...words('last_updated_timestamp_ms', 'last_updated_timestamp', 'last_updated_time'),
    ]),
  },
  'registered models': {
    entities: new Map<string, Subject['entity']>([...TAGS, ...ATTRIBUTES]),
    // All but `name` are ours.
    attributes: new Map([
      ...words<FieldType>('text', 'name', 'description'),
      ...words<FieldType>('number', 'creation_timestamp', 'last_updated_timestamp'),
    ]),
    aliases: new Map(),
  },
  'model versions': {
    entities: new Map<string, Subject['entity']>([...TAGS, ...ATTRIBUTES]),
    // `alias`, `stage`, `status`, `model_id`, `description` and the times are ours.
    attributes: new Map([
      ...words<FieldType>(
        'text',
        'name',
        'run_id',
        'source_path',
        'alias',
        'stage',
        'status',
        'model_id',
        'description',
      ),
      ...words<FieldType>('number', 'version_number', 'creation_timestamp', 'last_updated_timestamp'),
    ]),
    aliases: new Map([...words('source_path', 'source'), ...words('version_number', 'version')]),
  },
  traces: {
    entities: new Map<string, Subject['entity']>([
      ...TAGS,
      ...ATTRIBUTES,
      ['trace', 'attribute'],
      ...words('metadata', 'metadata', 'request_metadata'),
      ['feedback', 'feedback'],
      ['expectation', 'expectation'],
    ]),
    // `experiment_id` and `model_id` are ours.
    attributes: new Map([
      ...words<FieldType>(
        'text',
        'request_id',
        'status',
        'name',
        'run_id',
        'client_request_id',
        'experiment_id',
        'model_id',
        'prompt',
      ),
      ...words<FieldType>('number', 'timestamp_ms', 'execution_time_ms', 'end_time_ms'),
    ]),
    aliases: new Map([
      ...words('request_id', 'trace_id'),
      ...words('timestamp_ms', 'timestamp'),
      ...words('execution_time_ms', 'execution_time'),
      ...words('end_time_ms', 'end_time'),
    ]),
  },
};

/** What can be searched of a kind. */
export const subjectsOf = (kind: SearchKind): SearchSubjects => SUBJECTS[kind];

/** The kind that is searched by this name: the words of the table of kinds. */
export function searchKindNamed(words: string): SearchKind | undefined {
  return SEARCH_KINDS.find((kind) => kind === words);
}

const SEARCH_KINDS: readonly SearchKind[] = [
  'runs',
  'experiments',
  'logged models',
  'registered models',
  'model versions',
  'traces',
];

const NUMBERS: ReadonlySet<string> = new Set(
  SEARCH_KINDS.flatMap((kind) =>
    [...SUBJECTS[kind].attributes].flatMap(([key, type]) => (type === 'number' ? key : [])),
  ),
);

/** Whether an attribute, of any kind that has it, is compared as a number. */
export const isNumericAttribute = (key: string): boolean => NUMBERS.has(key);

/** Whether an attribute is a time, in ms since the epoch. */
export const isTimeAttribute = (key: string): boolean =>
  NUMBERS.has(key) && key !== 'version_number' && key !== 'execution_time_ms';
