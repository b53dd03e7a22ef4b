import type { Order, SearchKind } from './expression.ts';
import { expressionError } from './expression-error.ts';
import { resolveSubject } from './subjects.ts';
import { tokenize } from './tokens.ts';

/**
 * One column of an order as MLflow's `order_by` has it: an identifier and ASC (the default) or DESC. Throws
 * EXPRESSION with the column and what was expected.
 */
export function parseOrderBy(text: string, kind: SearchKind = 'runs'): Order {
  const [column, direction, ...rest] = tokenize(text);
  const isNamed = column?.type === 'identifier' || (column?.type === 'text' && column.source.startsWith('"'));
  if (column === undefined || !isNamed) {
    const reason = 'expected what to order by';
    throw expressionError(text, column?.start ?? 0, reason, 'Write it as in metrics.loss DESC.');
  }
  const resolved = resolveSubject(column.source, kind);
  if (!('subject' in resolved)) throw expressionError(text, column.start, resolved.reason, resolved.hint);
  if (resolved.subject.entity === 'dataset') {
    const hint = 'A run can have several: order by metrics, params, tags or attributes.';
    throw expressionError(text, column.start, 'runs cannot be ordered by their datasets', hint);
  }
  const word = direction?.source.toUpperCase() ?? '';
  const isLast = word === '' || rest[0]?.type === 'end';
  if ((word !== '' && word !== 'ASC' && word !== 'DESC') || !isLast) {
    const place = isLast || (word !== 'ASC' && word !== 'DESC') ? direction : rest[0];
    const hint = 'One order has one column: give the option again for the next.';
    throw expressionError(text, place?.start ?? 0, 'expected ASC, DESC or the end', hint);
  }
  return { subject: resolved.subject, direction: word === 'DESC' ? 'DESC' : 'ASC' };
}
