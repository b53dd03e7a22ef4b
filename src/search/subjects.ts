import type { SearchKind, Subject } from './expression.ts';

/** What a field of a record is compared as. */
type FieldType = 'text' | 'number';

/** MLflow's words for what stands before the first dot. */
const RUN_ENTITIES: ReadonlyMap<string, Subject['entity']> = new Map([
  ...words('metric', 'metric', 'metrics'),
  ...words('param', 'parameter', 'parameters', 'param', 'params'),
  ...words('tag', 'tag', 'tags'),
  ...words('attribute', 'attribute', 'attributes', 'attr', 'run'),
  ...words('dataset', 'dataset', 'datasets'),
]);

/** MLflow knows `attribute`, `tag` and `tags` here; the others are ours. */
const EXPERIMENT_ENTITIES: ReadonlyMap<string, Subject['entity']> = new Map([
  ...words('tag', 'tag', 'tags'),
  ...words('attribute', 'attribute', 'attributes', 'attr', 'experiment'),
]);

/** Fields of a run. `experiment_id`, `lifecycle_stage` and `deleted_time` are ours. */
const RUN_ATTRIBUTES: ReadonlyMap<string, FieldType> = new Map([
  ...words<FieldType>('text', 'run_id', 'run_name', 'user_id', 'status', 'artifact_uri'),
  ...words<FieldType>('text', 'experiment_id', 'lifecycle_stage'),
  ...words<FieldType>('number', 'start_time', 'end_time', 'deleted_time'),
]);

/** Fields of an experiment. `lifecycle_stage` and `artifact_location` are ours. */
const EXPERIMENT_ATTRIBUTES: ReadonlyMap<string, FieldType> = new Map([
  ...words<FieldType>('text', 'name', 'experiment_id', 'lifecycle_stage', 'artifact_location'),
  ...words<FieldType>('number', 'creation_time', 'last_update_time'),
]);

const RUN_ALIASES: ReadonlyMap<string, string> = new Map([
  ...words('start_time', 'created', 'Created'),
  ...words('run_name', 'run name', 'Run name', 'Run Name'),
]);

const DATASET_KEYS = ['name', 'digest', 'context'] as const;

function words<T extends string>(meaning: T, ...names: readonly string[]): Array<readonly [string, T]> {
  return names.map((name) => [name, meaning]);
}

/** What an identifier means, or why it means nothing and what to write instead. */
export type Resolved = { readonly subject: Subject } | { readonly reason: string; readonly hint: string };

/**
 * The subject of an identifier as it stands in the text: split at the first dot, quotes taken off as MLflow's
 * `_get_identifier` does. Case matters.
 */
export function resolveSubject(source: string, kind: SearchKind): Resolved {
  const dot = source.indexOf('.');
  const prefix = dot < 0 ? 'attribute' : trimQuotes(source.slice(0, dot), '`');
  const key = trimQuotes(trimQuotes(source.slice(dot + 1), "'", '"'), '`');
  const entities = kind === 'runs' ? RUN_ENTITIES : EXPERIMENT_ENTITIES;
  const entity = entities.get(prefix);
  if (entity === undefined) {
    return {
      reason: `there is no ${JSON.stringify(prefix)} to search ${kind} by`,
      hint: `Before the dot stands one of: ${[...new Set(entities.keys())].join(', ')}.`,
    };
  }
  if (source.endsWith('.') && key === '') {
    const hint = `A key follows the dot: ${prefix}.name.`;
    return { reason: `there is no key behind ${prefix}.`, hint };
  }
  if (entity === 'attribute') return resolveAttribute(key, kind, dot < 0);
  if (entity === 'dataset') return resolveDataset(key);
  return { subject: { entity, key } };
}

function resolveAttribute(key: string, kind: SearchKind, isBare: boolean): Resolved {
  const attributes = attributesOf(kind);
  const name = kind === 'runs' ? (RUN_ALIASES.get(key) ?? key) : key;
  if (attributes.has(name)) return { subject: { entity: 'attribute', key: name } };
  const others = kind === 'runs' ? 'metrics.…, params.… or tags.…' : 'tags.…';
  return {
    reason: `${kind} have no attribute ${JSON.stringify(key)}`,
    hint: `Attributes: ${[...attributes.keys()].join(', ')}.${isBare ? ` Other keys stand behind ${others}.` : ''}`,
  };
}

function resolveDataset(key: string): Resolved {
  const known = DATASET_KEYS.find((name) => name === key);
  if (known !== undefined) return { subject: { entity: 'dataset', key: known } };
  return {
    reason: `datasets have no ${JSON.stringify(key)}`,
    hint: `A dataset is searched by ${DATASET_KEYS.join(', ')}.`,
  };
}

/** The fields that can be searched, MLflow's and ours. */
export function attributesOf(kind: SearchKind): ReadonlyMap<string, FieldType> {
  return kind === 'runs' ? RUN_ATTRIBUTES : EXPERIMENT_ATTRIBUTES;
}

/** Whether a subject is compared as a number. */
export function isNumeric(subject: Subject): boolean {
  if (subject.entity === 'metric') return true;
  if (subject.entity !== 'attribute') return false;
  return (RUN_ATTRIBUTES.get(subject.key) ?? EXPERIMENT_ATTRIBUTES.get(subject.key)) === 'number';
}

/** A text without the quotes around it, if it has them. */
export function trimQuotes(text: string, ...quotes: readonly string[]): string {
  const isQuoted = quotes.some((quote) => text.length >= 2 && text.startsWith(quote) && text.endsWith(quote));
  return isQuoted ? text.slice(1, -1) : text;
}
