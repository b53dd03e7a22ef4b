import type { ObjectKind, ObjectRecord } from '../../kinds/kind.ts';
import { kindOf } from '../../kinds/kinds.ts';
import { idOf, parentIdOf } from '../../kinds/marks.ts';
import type { ObjectFilter, Selection } from '../../model/selection.ts';
import { evaluateObject } from '../../search/evaluate-object.ts';
import { parseSearch } from '../../search/parse-search.ts';
import { searchKindNamed } from '../../search/search-kinds.ts';
import type { ObjectReader, ObjectScope } from '../objects.ts';

type Fits = (record: ObjectRecord) => boolean;

/** Whether an object fits the expression over its kind; `undefined` where there is none. */
export function filterOf(of: ObjectKind, selection: Pick<Selection, ObjectFilter>): Fits | undefined {
  const text = of.filter === undefined ? undefined : selection[of.filter];
  const kind = searchKindNamed(of.words.many);
  const expression = text === undefined || kind === undefined ? undefined : parseSearch(text, kind);
  if (expression === undefined || kind === undefined) return undefined;
  return (record) => evaluateObject(expression, kind, record);
}

/** The objects of a kind that fit its expression, and live in what fits. */
export async function* fittingObjects(
  kind: string,
  read: (kind: string, scope: ObjectScope) => AsyncIterable<ObjectReader>,
  scope: ObjectScope,
): AsyncGenerator<ObjectReader> {
  const of = kindOf(kind);
  const fits = filterOf(of, scope.selection);
  const parents = of.within === undefined ? undefined : await fittingIds(kindOf(of.within), read, scope);
  for await (const object of read(kind, scope)) {
    if (fits !== undefined && !fits(object.record)) continue;
    if (parents === undefined || parents.has(parentIdOf(of, object.record) ?? '')) yield object;
  }
}

/** The ids of a kind that fit its expression; `undefined` where all do. */
async function fittingIds(
  of: ObjectKind,
  read: (kind: string, scope: ObjectScope) => AsyncIterable<ObjectReader>,
  scope: ObjectScope,
): Promise<ReadonlySet<string> | undefined> {
  const fits = filterOf(of, scope.selection);
  if (fits === undefined) return undefined;
  const ids = new Set<string>();
  for await (const { record } of read(of.kind, scope)) if (fits(record)) ids.add(idOf(of, record));
  return ids;
}
