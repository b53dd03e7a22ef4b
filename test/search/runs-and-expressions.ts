import fc from 'fast-check';
import { fromDouble } from '../../src/model/metric-value.ts';
import { pointsOf } from '../../src/model/points.ts';
import type { Point } from '../../src/model/records.ts';
import { addPoints, type HistoryAggregates } from '../../src/search/aggregates.ts';
import { evaluate } from '../../src/search/evaluate.ts';
import type { Expression } from '../../src/search/expression.ts';
import { parseSearch } from '../../src/search/parse-search.ts';
import { pythonLiteral } from '../../src/search/python-string.ts';
import { type MemoryRun, makeRun } from '../places/memory-workspace.ts';

/** Few keys and values, so that conditions meet runs that fit and runs that do not. */
const KEYS = ['a', 'b', 'b c', 'from', "d'"];
const TEXTS = ['', 'x', 'X', 'xy', 'a_c', 'abc', 'é', "it's", 'say "hi"', 'both \'"', 'end\\', '0.5', 'x\ny'];
const NUMBERS = [0, 1, -1, 0.5, 1e21, 1.5e-7, Number.MAX_VALUE, -Number.MAX_VALUE];

const aKey = fc.constantFrom(...KEYS);
const aText = fc.constantFrom(...TEXTS);
const texts = fc.dictionary(aKey, aText, { maxKeys: 3 });
const aPoint: fc.Arbitrary<Point> = fc.tuple(
  fc.nat(3),
  fc.nat(3),
  fc.constantFrom(...NUMBERS, Number.NaN, Infinity, -Infinity).map(fromDouble),
);

/** A run with its histories. */
export const aRun: fc.Arbitrary<Promise<MemoryRun>> = fc
  .record({
    params: texts,
    tags: texts,
    metrics: fc.dictionary(aKey, fc.array(aPoint, { minLength: 1, maxLength: 4 }), { maxKeys: 3 }),
    status: fc.constantFrom('FINISHED' as const, 'FAILED' as const),
    start: fc.option(fc.constantFrom(0, 5, 7), { nil: null }),
    id: fc.nat(9999),
    experiment: fc.constantFrom('1', '2'),
    datasets: fc.array(fc.record({ name: aText, digest: aText }), { maxLength: 2 }),
  })
  .map(({ metrics, start, id, datasets, experiment, ...fields }) =>
    makeRun(
      {
        ...fields,
        run_id: id.toString(16).padStart(32, 'a'),
        experiment_id: experiment,
        start_time: start,
        dataset_inputs: datasets.map((dataset) => ({
          dataset: { ...dataset, source_type: '', source: '' },
          tags: {},
        })),
      },
      Object.entries(metrics),
    ),
  );

const key = (name: string) => (name.includes("'") ? `"${name}"` : `\`${name}\``);
/** A backslash before the quote would hide it. */
const value = (text: string) => {
  if (text.endsWith('\\')) return `'${text}s'`;
  return text.includes("'") ? (text.includes('"') ? "'q'" : `"${text}"`) : `'${text}'`;
};

const aCondition = fc.oneof(
  fc
    .tuple(
      fc.constantFrom('', 'MIN', 'MAX', 'LATEST', 'FIRST', 'COUNT'),
      aKey,
      fc.constantFrom('=', '!=', '<', '<=', '>', '>='),
      fc.constantFrom(...NUMBERS),
    )
    .map(([aggregate, name, operator, number]) => {
      const subject = aggregate === '' ? `metrics.${key(name)}` : `${aggregate}(metrics.${key(name)})`;
      return `${subject} ${operator} ${String(number).replace('e+', 'e')}`;
    }),
  fc
    .tuple(fc.constantFrom('params', 'tags'), aKey, fc.constantFrom('=', '!=', 'LIKE', 'ILIKE'), aText)
    .map(([entity, name, operator, text]) => `${entity}.${key(name)} ${operator} ${value(text)}`),
  fc
    .tuple(aText, fc.constantFrom('LIKE', 'ILIKE'), fc.constantFrom('%', '_%', '%_', 'x_', '%é'))
    .map(([text, operator, pattern]) => `tags.a ${operator} ${value(text.slice(0, 1) + pattern)}`),
  fc
    .tuple(fc.constantFrom('params', 'tags'), aKey, fc.constantFrom('IS NULL', 'IS NOT NULL'))
    .map(([entity, name, operator]) => `${entity}.${key(name)} ${operator}`),
  fc
    .tuple(fc.constantFrom('=', '!='), fc.constantFrom('FINISHED', 'FAILED'))
    .map(([o, s]) => `status ${o} '${s}'`),
  fc
    .tuple(fc.constantFrom('<', '=', '>='), fc.constantFrom('5', '6.5'))
    .map(([o, n]) => `start_time ${o} ${n}`),
  fc
    .tuple(fc.constantFrom('name', 'digest'), aText)
    .map(([field, text]) => `dataset.${field} != ${value(text)}`),
  fc
    .tuple(fc.constantFrom('IN', 'NOT IN'), aText)
    .map(([o, text]) => `dataset.name ${o} ('x', ${pythonLiteral(text.replace('\\', ''))})`),
);

const { tree } = fc.letrec<{ tree: string }>((tie) => ({
  tree: fc.oneof(
    { maxDepth: 3, withCrossShrink: true },
    aCondition,
    fc.tuple(tie('tree'), tie('tree')).map(([a, b]) => `(${a}) AND (${b})`),
    fc.tuple(tie('tree'), tie('tree')).map(([a, b]) => `(${a}) OR (${b})`),
    tie('tree').map((inner) => `NOT (${inner})`),
  ),
}));

/** Any expression over {@link aRun}. */
export const anExpression: fc.Arbitrary<Expression> = tree.map(parsed);

/** The tree of a text that is not empty. */
export function parsed(text: string): Expression {
  const expression = parseSearch(text, 'runs');
  if (expression === undefined) throw new Error('an empty expression');
  return expression;
}

/** Whether a run fits, its histories included. */
export function fits(expression: Expression, { run, metrics }: MemoryRun): boolean {
  const histories = new Map<string, HistoryAggregates>();
  for (const [key, points] of metrics) {
    const history = addPoints(histories.get(key), pointsOf(points));
    if (history !== undefined) histories.set(key, history);
  }
  return evaluate(expression, run, (key) => histories.get(key));
}
