import type { SearchKind, Subject } from './expression.ts';
import { isNumericAttribute, subjectsOf } from './search-kinds.ts';

const DATASET_KEYS = ['name', 'digest', 'context'] as const;

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
  const { entities } = subjectsOf(kind);
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
  const { attributes, aliases, entities } = subjectsOf(kind);
  const name = aliases.get(key) ?? key;
  if (attributes.has(name)) return { subject: { entity: 'attribute', key: name } };
  const others = ['metrics', 'params', 'tags']
    .filter((word) => entities.has(word))
    .map((word) => `${word}.…`);
  return {
    reason: `${kind} have no attribute ${JSON.stringify(key)}`,
    hint: `Attributes: ${[...attributes.keys()].join(', ')}.${isBare ? ` Other keys stand behind ${either(others)}.` : ''}`,
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

/** Whether a subject is compared as a number. */
export function isNumeric(subject: Subject): boolean {
  if (subject.entity === 'metric') return true;
  return subject.entity === 'attribute' && isNumericAttribute(subject.key);
}

/** A text without the quotes around it, if it has them. */
export function trimQuotes(text: string, ...quotes: readonly string[]): string {
  const isQuoted = quotes.some((quote) => text.length >= 2 && text.startsWith(quote) && text.endsWith(quote));
  return isQuoted ? text.slice(1, -1) : text;
}

/** `a, b or c`. */
function either(names: readonly string[]): string {
  return names.length < 2 ? names.join('') : `${names.slice(0, -1).join(', ')} or ${names.at(-1)}`;
}
