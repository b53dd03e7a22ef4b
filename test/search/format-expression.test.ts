import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { Comparison, Expression, Subject } from '../../src/search/expression.ts';
import { formatExpression, formatOrder } from '../../src/search/format-expression.ts';
import { parseOrderBy } from '../../src/search/parse-order-by.ts';
import { parseSearch } from '../../src/search/parse-search.ts';
import { subjectsOf } from '../../src/search/search-kinds.ts';
import { isNumeric } from '../../src/search/subjects.ts';

/** Any text that some quotes can hold: not both kinds, no backslash before the closing one. */
const text = fc
  .oneof(
    fc.string({ unit: 'binary', maxLength: 12 }),
    fc.string({ unit: fc.constantFrom(...'\'"`\\ %_a.=\n'), maxLength: 8 }),
  )
  .filter((value) => !(value.includes("'") && value.includes('"')) && !value.endsWith('\\'));
const key = text.filter((value) => value !== '' && !value.includes('`') && !/^["'].*["']$|\\/s.test(value));

const metric = fc.record(
  {
    entity: fc.constant('metric' as const),
    key,
    aggregate: fc.constantFrom('MIN', 'MAX', 'LATEST', 'FIRST', 'COUNT'),
  },
  { requiredKeys: ['entity', 'key'] },
);
const attribute = fc
  .constantFrom(...subjectsOf('runs').attributes.keys())
  .map((name) => ({ entity: 'attribute' as const, key: name }));
const subject: fc.Arbitrary<Subject> = fc.oneof(
  metric,
  attribute,
  fc.record({ entity: fc.constantFrom('param', 'tag'), key }),
  fc.record({ entity: fc.constant('dataset' as const), key: fc.constantFrom('name', 'digest', 'context') }),
);

const comparison: fc.Arbitrary<Comparison> = subject.chain((about): fc.Arbitrary<Comparison> => {
  const base = { type: 'comparison', subject: about, position: 0 } as const;
  const nullity = fc.constantFrom('IS NULL', 'IS NOT NULL').map((operator) => ({ ...base, operator }));
  if (isNumeric(about)) {
    const operator = fc.constantFrom('=', '!=', '<', '<=', '>', '>=');
    // -0 is 0 to every operator.
    const value = fc.double({ noNaN: true }).map((double) => (double === 0 ? 0 : double));
    return fc.oneof(
      nullity,
      fc.tuple(operator, value).map(([op, number]) => ({ ...base, operator: op, value: number })),
    );
  }
  return fc.oneof(
    nullity,
    fc.tuple(fc.constantFrom('=', '!='), text).map(([operator, value]) => ({ ...base, operator, value })),
    fc
      .tuple(fc.constantFrom('LIKE', 'ILIKE'), text)
      .map(([operator, value]) => ({ ...base, operator, value })),
    fc
      .tuple(
        fc.constantFrom('IN', 'NOT IN'),
        fc.array(fc.string({ unit: 'binary' }), { minLength: 1, maxLength: 3 }),
      )
      .map(([operator, value]) => ({ ...base, operator, value })),
  );
});

const { expression } = fc.letrec<{ expression: Expression }>((tie) => ({
  expression: fc.oneof(
    { maxDepth: 5, withCrossShrink: true },
    comparison,
    fc.record({ type: fc.constant('not' as const), term: tie('expression') }),
    fc.record({
      type: fc.constantFrom('and', 'or'),
      terms: fc.array(tie('expression'), { minLength: 2, maxLength: 3 }),
    }),
  ),
}));

/** The tree without the places in a text. */
function shape(tree: Expression): unknown {
  if (tree.type === 'not') return { ...tree, term: shape(tree.term) };
  if (tree.type !== 'comparison') return { ...tree, terms: tree.terms.map(shape) };
  return {
    ...tree,
    position: 0,
    ...('value' in tree && typeof tree.value === 'bigint' ? { value: Number(tree.value) } : {}),
  };
}

test('a tree written as text is read as the same tree', () => {
  fc.assert(
    fc.property(expression, (tree) => {
      const written = formatExpression(tree);
      const read = parseSearch(written, 'runs');
      expect(read && shape(read)).toEqual(shape(tree));
    }),
    { numRuns: process.env.MLFERRY_TEST_LONG === '1' ? 50_000 : 1000 },
  );
});

test('what no text can hold is refused', () => {
  const holding = (value: string): Expression =>
    ({
      ...{ type: 'comparison', subject: { entity: 'tag', key: 'a' }, position: 0, operator: '=' as const },
      value,
    }) as const;
  expect(() => formatExpression(holding(`it's "x"`))).toThrow(/No expression can hold/);
  expect(() => formatExpression(holding('a\\'))).toThrow(/No expression can hold/);
  expect(formatExpression(holding(`it's`))).toBe(`tags.a = "it's"`);
});

test('an order written as text is read as the same order', () => {
  fc.assert(
    fc.property(subject, fc.constantFrom('ASC', 'DESC'), (about, direction) => {
      if (about.entity === 'dataset' || (about.entity === 'metric' && about.aggregate !== undefined)) return;
      const order = { subject: about, direction } as const;
      expect(parseOrderBy(formatOrder(order))).toEqual(order);
    }),
  );
});

test.for<[text: string, column: number, expected: RegExp]>([
  ['', 1, /what to order by/],
  ['metrics.a UP', 11, /ASC, DESC or the end/],
  ['metrics.a ASC, params.b', 14, /ASC, DESC or the end/],
  ['dataset.name', 1, /cannot be ordered by their datasets/],
  ['loss', 1, /no attribute "loss"/],
  ['5', 1, /what to order by/],
])('order %s', ([order, column, expected]) => {
  const thrown = expect.objectContaining({ code: 'EXPRESSION', message: expect.stringMatching(expected) });
  expect(() => parseOrderBy(order)).toThrow(thrown);
  expect(() => parseOrderBy(order)).toThrow(`column ${column}:`);
});
