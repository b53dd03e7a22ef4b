import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Expression, SearchKind } from '../../src/search/expression.ts';
import { parseSearch } from '../../src/search/parse-search.ts';
import { MlferryError } from '../../src/util/errors.ts';
import { conjunction, nearly, runCondition, tokenSoup } from './expression-texts.ts';

/** One condition in few words. */
function words(expression: Expression | undefined): unknown {
  if (expression === undefined) return undefined;
  if (expression.type === 'not') return ['not', words(expression.term)];
  if (expression.type !== 'comparison') return [expression.type, ...expression.terms.map(words)];
  const { subject, operator } = expression;
  const aggregate = 'aggregate' in subject ? `${subject.aggregate} ` : '';
  const value = 'value' in expression ? [expression.value] : [];
  return [`${aggregate}${subject.entity} ${subject.key}`, operator, ...value];
}

const read = (text: string, kind: SearchKind = 'runs') => words(parseSearch(text, kind));

test.for<[text: string, meaning: unknown]>([
  // What MLflow's and Databricks' documentation show.
  ['metrics.r2 > 0.3', ['metric r2', '>', 0.3]],
  ['params.elasticNetParam = 0.5', ['param elasticNetParam', '=', '0.5']],
  [
    'LATEST(metrics.memUsage) = 0 AND MIN(metrics.rmse) <= 1',
    ['and', ['LATEST metric memUsage', '=', 0], ['MIN metric rmse', '<=', 1]],
  ],
  ['tags.estimator_name="RandomForestRegressor"', ['tag estimator_name', '=', 'RandomForestRegressor']],
  ['tags.color="blue" AND tags.size=5', ['and', ['tag color', '=', 'blue'], ['tag size', '=', '5']]],
  ['tags.`my custom tag` = "my value"', ['tag my custom tag', '=', 'my value']],
  ['metrics."X//Y#$$@&Z" = 3', ['metric X//Y#$$@&Z', '=', 3]],
  ['metrics."accuracy.2.0" > 5', ['metric accuracy.2.0', '>', 5]],
  ['params."m"!="tf"', ['param m', '!=', 'tf']],
  ["`tags`.source_name = 'a notebook'", ['tag source_name', '=', 'a notebook']],
  ['metric.acc>=0.94', ['metric acc', '>=', 0.94]],
  ['params.m = "L\'Hosp"', ['param m', '=', "L'Hosp"]],
  [
    "metrics.rmse < 1 and params.model_class = 'LR'",
    ['and', ['metric rmse', '<', 1], ['param model_class', '=', 'LR']],
  ],
  // Aliases; the key of a mapping of fields.
  ["attr.`Run name` = 'x'", ['attribute run_name', '=', 'x']],
  ['Created > 5', ['attribute start_time', '>', 5]],
  ['"start_time" > 5', ['attribute start_time', '>', 5]],
  ["datasets.context LIKE 'tr%'", ['dataset context', 'LIKE', 'tr%']],
  // AND may be missing, doubled and stand at the ends.
  [
    'AND metrics.a = 1 metrics.b = 2 AND AND metrics.c = 3 and',
    ['and', ['metric a', '=', 1], ['metric b', '=', 2], ['metric c', '=', 3]],
  ],
  ['and', undefined],
  ['', undefined],
  [' \n', undefined],
  // Nothing is unescaped in a literal, but in a list.
  ["params.a = 'it''s'", ['param a', '=', "it''s"]],
  ["params.a = 'a\\'b'", ['param a', '=', "a\\'b"]],
  ["params.a = 'a\\'", ['param a', '=', 'a\\']],
  ["run_id IN ('a\\n', \"b\" 'c', 'it''s',)", ['attribute run_id', 'IN', ['a\n', 'bc', 'its']]],
  ["run_id not in ('\\x41\\u00e9\\U0001F600\\101\\q')", ['attribute run_id', 'NOT IN', ['Aé😀A\\q']]],
  // Numbers.
  ['metrics.a < 1e400', ['metric a', '<', Number.POSITIVE_INFINITY]],
  ['metrics.a = -.5', ['metric a', '=', -0.5]],
  ['metrics.a = 1.', ['metric a', '=', 1]],
  ['start_time = 9007199254740993', ['attribute start_time', '=', 9007199254740993n]],
  // Times, as ISO 8601 too.
  ["start_time >= '2024-05-01'", ['attribute start_time', '>=', 1_714_521_600_000]],
  ['end_time < "2024-05-01T02:00:00+02:00"', ['attribute end_time', '<', 1_714_521_600_000]],
  // Keys.
  ['metrics.and > 1', ['metric and', '>', 1]],
  ['metrics..a > 1', ['metric .a', '>', 1]],
  ["params.'a b' is null", ['param a b', 'IS NULL']],
  ['tags."`a`" Is Not Null', ['tag a', 'IS NOT NULL']],
  // What mlferry adds.
  [
    'NOT metrics.a = 1 OR metrics.b = 2 AND (metrics.c = 3 OR count(metrics.d) > 4)',
    [
      'or',
      ['not', ['metric a', '=', 1]],
      ['and', ['metric b', '=', 2], ['or', ['metric c', '=', 3], ['COUNT metric d', '>', 4]]],
    ],
  ],
  ['FIRST(metrics.`a b`) = 1', ['FIRST metric a b', '=', 1]],
  ["status IN ('FAILED', 'KILLED')", ['attribute status', 'IN', ['FAILED', 'KILLED']]],
  ['end_time IS NULL', ['attribute end_time', 'IS NULL']],
  ['params.a IN (1, 2)', ['param a', 'IN', ['1', '2']]],
  ["lifecycle_stage = 'deleted'", ['attribute lifecycle_stage', '=', 'deleted']],
])('%s', ([text, meaning]) => {
  expect(read(text)).toEqual(meaning);
});

test('experiments have fields of their own', () => {
  expect(read("name LIKE 'a%' AND tags.x IS NULL", 'experiments')).toEqual([
    'and',
    ['attribute name', 'LIKE', 'a%'],
    ['tag x', 'IS NULL'],
  ]);
  expect(read("experiment_id IN ('1', '02')", 'experiments')).toEqual([
    'attribute experiment_id',
    'IN',
    ['1', '2'],
  ]);
});

test('a condition knows its place in the text', () => {
  const expression = parseSearch("(metrics.a > 1 OR 'x' = 'y')".replace("'x' = 'y'", 'status = "x"'), 'runs');
  expect(expression).toMatchObject({ terms: [{ position: 1 }, { position: 18 }] });
});

describe('wrong expressions', () => {
  const nested = (count: number) => `${'('.repeat(count)}metrics.a = 1${')'.repeat(count)}`;

  const table: ReadonlyArray<[text: string, column: number, expected: RegExp, kind?: SearchKind]> = [
    // From MLflow's own tests.
    ['m.acc >= 0.94', 1, /no "m" to search runs by/],
    ['acc >= 0.94', 1, /no attribute "acc"/],
    ['`metrics.A > 0.1', 1, /never closed/],
    ['params.acc = LR', 14, /a quoted text .*, found LR/],
    ['params.acc = `LR`', 14, /a quoted text .*, found `LR`/],
    ['params.acc = "LR\'', 14, /never closed/],
    ["params.acc = 'LR", 14, /never closed/],
    ["attribute.status IS 'RUNNING'", 18, /an operator, found IS/],
    ['attribute.status = true', 20, /a quoted text/],
    ['1=1', 1, /a condition, found 1/],
    ['metrics.acc != metrics.acc', 16, /a number .*, found metrics.acc/],
    ['foo is null', 1, /no attribute "foo"/],
    ["metrics.a = '0.6'", 13, /a number .*, found '0.6'/],
    ['metrics.a = NaN', 13, /a number/],
    ['metrics.a = inf', 13, /a number/],
    // Operators that are not there.
    ["params.a == 'x'", 10, /an operator, found ==/],
    ["params.a <> 'x'", 10, /an operator, found <>/],
    ['metrics.a => 1', 11, /an operator, found =>/],
    ["params.a < 'x'", 10, /an operator, found </],
    ["params.a NOT LIKE 'x'", 10, /an operator, found NOT/],
    ["params.a RLIKE 'x'", 10, /an operator, found RLIKE/],
    ["metrics.a LIKE '1%'", 11, /LIKE is for text/],
    ["start_time IN ('1')", 12, /IN is for text/],
    ['metrics.a BETWEEN 1 AND 2', 11, /an operator, found BETWEEN/],
    ['metrics.a > 1 + 1', 15, /"\+" cannot stand here/],
    ['metrics.a', 10, /an operator, found the end/],
    ['metrics.a >', 12, /a number .*, found the end/],
    ['metrics.a > - 1', 13, /"-" cannot stand here/],
    ['metrics.a > 1x', 13, /a number .*, found 1x/],
    ['params.a LIKE x', 15, /a quoted pattern/],
    ['params.a LIKE', 14, /a quoted pattern/],
    ['params.a IS NOT', 10, /an operator, found IS/],
    // Lists.
    ["run_id IN 'a'", 11, /a \(/],
    ['run_id IN ()', 12, /a quoted text, found \)/],
    ["run_id IN ('a', )x", 18, /AND, OR or the end, found x|no attribute "x"|an operator/],
    ["run_id IN ('a'", 15, /, or \)/],
    ['run_id IN (a)', 12, /a quoted text, found a/],
    ["run_id IN ('a\\x')", 12, /no text as Python writes it/],
    ["run_id IN ('a\nb')", 12, /no text as Python writes it/],
    ['run_id IN (1)', 12, /a quoted text, found 1/],
    // Keys and fields.
    ['metrics. > 1', 1, /no key behind metrics/],
    ['metrics > 1', 1, /no attribute "metrics"/],
    ['metrics.a-b > 1', 10, /"-" cannot stand here/],
    ['metrics.a b > 1', 11, /an operator, found b/],
    ['METRICS.a > 1', 1, /no "METRICS"/],
    ["Status = 'x'", 1, /no attribute "Status"/],
    ["dataset.profile = 'x'", 1, /datasets have no "profile"/],
    ["source_name = 'x'", 1, /no attribute "source_name"/],
    ["'params'.a = 'x'", 9, /"." cannot stand here/],
    ["'x' = params.a", 1, /a condition, found 'x'/],
    // Joins and parentheses.
    ["params.a = 'x' OR", 18, /a condition, found the end/],
    ["OR params.a = 'x'", 1, /a condition, found OR/],
    ["params.a = 'x' AND OR params.a = 'y'", 20, /a condition, found OR/],
    ["params.a = 'x', params.b = 'y'", 15, /AND, OR or the end, found ,/],
    ["params.a = 'x'; params.b = 'y'", 15, /";" cannot stand here/],
    ["params.a = 'x' -- and more", 16, /"-" cannot stand here/],
    ["(params.a = 'x'", 16, /AND, OR or \), found the end/],
    ["params.a = 'x')", 15, /AND, OR or the end, found \)/],
    ['()', 2, /a condition, found \)/],
    ['NOT', 4, /a condition, found the end/],
    [nested(101), 102, /more than 100/],
    [nested(200_000), 102, /more than 100/],
    ['NOT '.repeat(200_000), 405, /more than 100/],
    // Aggregates.
    ['MIN(params.a) > 1', 5, /a metric in MIN\(…\), found params.a/],
    ['MIN(metrics.a > 1', 15, /expected \), found >/],
    ['MIN metrics.a > 1', 1, /no attribute "MIN"/],
    ['AVG(metrics.a) > 1', 1, /no attribute "AVG"/],
    ['COUNT(*) > 1', 7, /"\*" cannot stand here/],
    // Several lines, other scripts.
    ["params.a = 'x'\n  AND metrics.b > 'y'", 19, /line 2, column 19: expected a number/],
    ["params.`日本` = '\u{1F600}' AND params.b = c", 34, /found c/],
    // Experiments.
    ['metrics.a > 1', 1, /no "metrics" to search experiments by/, 'experiments'],
    ["run_id = 'x'", 1, /experiments have no attribute "run_id"/, 'experiments'],
    ["creation_time = '5'", 17, /a number/, 'experiments'],
    ["start_time > '2024-02-31'", 14, /a number/],
    ["metrics.a > '2024-05-01'", 13, /a number/],
  ];
  const cases = table.map(([text, column, expected, kind = 'runs']) => ({
    ...{ text, column, expected, kind },
    title: text.slice(0, 60),
  }));

  test.for(cases)('$title', ({ text, column, expected, kind }) => {
    const error = errorOf(text, kind);
    expect(error.meaning.exit).toBe(2);
    expect(error.message).toMatch(expected);
    expect(error.message).toContain(`column ${column}:`);
    expect(error.hint).not.toBe('');
    const [, shown = '', caret = ''] = error.message.split('\n');
    expect(caret).toMatch(/^ *\^$/);
    expect(shown.length).toBeLessThan(200);
    // The caret stands below the place, also in the middle of a long text.
    if (column < 60) expect([...caret].length).toBe(column + 2);
  });
});

function errorOf(text: string, kind: SearchKind): MlferryError {
  try {
    parseSearch(text, kind);
  } catch (error) {
    if (error instanceof MlferryError && error.code === 'EXPRESSION') return error;
    throw error;
  }
  throw new Error(`No error: ${text}`);
}

test('nothing of the text moves the cursor of a terminal', () => {
  const error = errorOf('metrics.a > "\u001b[2J\u202e\ud800"', 'runs');
  // biome-ignore lint/suspicious/noControlCharactersInRegex: what must not be there
  expect(`${error.message}${error.hint}`.replaceAll('\n', '')).not.toMatch(/[\u0000-\u001f\u202e]/);
  expect(error.message.isWellFormed()).toBe(true);
});

const isLong = process.env.MLFERRY_TEST_LONG === '1';

test.for(['runs', 'experiments'] as const)(
  'whatever the text, %s are searched or EXPRESSION is thrown',
  (kind) => {
    const right = conjunction(runCondition(['0'.repeat(32)]));
    const texts = fc.oneof(
      tokenSoup,
      nearly(right),
      fc.string({ unit: 'binary', maxLength: 200 }),
      fc.string({ unit: fc.constantFrom(...'()\'"`\\ .=a1,NOTAND\n'), maxLength: 60 }),
    );
    fc.assert(
      fc.property(texts, (text) => {
        try {
          const expression = parseSearch(text, kind);
          expect(expression === undefined || typeof expression.type === 'string').toBe(true);
        } catch (error) {
          expect(error).toMatchObject({ code: 'EXPRESSION', meaning: { exit: 2 } });
        }
      }),
      { numRuns: isLong ? 300_000 : 4000 },
    );
  },
);

test('a long expression is read in one go', () => {
  const ids = Array.from({ length: 50_000 }, (_, index) => `'${index.toString(16).padStart(32, '0')}'`);
  const text = `run_id IN (${ids.join(', ')})${" OR params.a = 'x'".repeat(20_000)}`;
  expect(parseSearch(text, 'runs')).toMatchObject({ type: 'or', terms: { length: 20_001 } });
  const unclosed = "params.a = '".concat("\\''".repeat(100_000));
  expect(() => parseSearch(unclosed, 'runs')).toThrow(MlferryError);
});
