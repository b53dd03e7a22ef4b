import { expect, test } from 'vitest';
import { pointsOf } from '../../src/model/points.ts';
import type { DatasetInput, Run } from '../../src/model/records.ts';
import { addPoints, type HistoryAggregates, needsHistory } from '../../src/search/aggregates.ts';
import { compareRuns } from '../../src/search/compare-runs.ts';
import { evaluate, evaluateExperiment } from '../../src/search/evaluate.ts';
import type { Expression } from '../../src/search/expression.ts';
import { matchesIlike, matchesLike } from '../../src/search/like.ts';
import { parseOrderBy } from '../../src/search/parse-order-by.ts';
import { parseSearch } from '../../src/search/parse-search.ts';
import { type MemoryRun, makeExperiment, makeRun } from '../places/memory-workspace.ts';

/** What real servers accept is judged in differential.test.ts; here is the rest. */

function parsed(text: string, kind: 'runs' | 'experiments' = 'runs'): Expression {
  const expression = parseSearch(text, kind);
  if (expression === undefined) throw new Error('empty');
  return expression;
}

const dataset = (name: string, tags = {}): DatasetInput => ({
  dataset: { name, digest: 'd', source_type: 'local', source: '' },
  tags,
});

test.for<[text: string, fits: boolean]>([
  // A key of the object's own prototype is no key of the run.
  ['params.constructor IS NULL', true],
  ["params.`__proto__` = 'own'", true],
  ["NOT params.missing = 'x'", true],
  ["NOT params.missing != 'x'", true],
  ["NOT (params.missing = 'x' OR params.missing != 'x')", true],
  // Whole numbers beyond 2^53 compare exactly.
  ['start_time = 9007199254740993', true],
  ['start_time > 9007199254740992', true],
  ['start_time = 9007199254740992', false],
  ['start_time < 1e300', true],
  ['end_time IS NULL', true],
  ['end_time != 5', false],
  ['deleted_time IS NOT NULL AND lifecycle_stage = "deleted"', true],
  ['experiment_id = 1', true],
  // NaN and infinity.
  ['metrics.nan != 0', true],
  ['metrics.nan = 0 OR metrics.nan < 1 OR metrics.nan >= 0', false],
  ['metrics.nan IS NOT NULL', true],
  ['metrics.inf = 1.7976931348623157e308', true],
  ['metrics.inf < 1e400', true],
  ['LATEST(metrics.inf) > 1e308', true],
  // Aggregates: 3, NaN, 1, 2 logged at steps 2, 1, 1, 3.
  ['MIN(metrics.m) = 1 AND MAX(metrics.m) = 3 AND COUNT(metrics.m) = 4', true],
  ['FIRST(metrics.m) = 1', true],
  ['LATEST(metrics.m) = 2 AND metrics.m = 2', true],
  ['MIN(metrics.nan) = 0 OR MAX(metrics.nan) = 0', false],
  ['MIN(metrics.nan) != 0', true],
  ['COUNT(metrics.missing) = 0', true],
  ['MIN(metrics.missing) != 0', false],
  ['FIRST(metrics.missing) IS NULL', true],
  // Several datasets.
  ["dataset.name = 'a' AND dataset.name = 'b'", true],
  ["dataset.name != 'a'", true],
  ["NOT dataset.name = 'a'", false],
  ["dataset.context = 'training'", true],
  ["dataset.context != 'training'", false],
  ["params.list IN ('x', 'y')", true],
  ["params.list NOT IN ('x', 'y')", false],
  ["run_name = 'a run'", false],
])('%s: %s', async ([text, fits]) => {
  const { run, metrics } = await makeRun(
    {
      start_time: '9007199254740993',
      end_time: null,
      lifecycle_stage: 'deleted',
      deleted_time: 7,
      params: Object.fromEntries([
        ['__proto__', 'own'],
        ['list', 'x'],
      ]),
      dataset_inputs: [dataset('a'), dataset('b', { 'mlflow.data.context': 'training' })],
    },
    [
      ['inf', [[0, 0, 'Infinity']]],
      [
        'm',
        [
          [2, 0, 3],
          [1, 5, 'NaN'],
          [1, 0, 1],
          [3, 0, 2],
        ],
      ],
      ['nan', [[0, 0, 'NaN']]],
    ],
  );
  expect(evaluate(parsed(text), run, aggregatesOf(metrics))).toBe(fits);
});

function aggregatesOf(metrics: MemoryRun['metrics']) {
  const all = new Map<string, HistoryAggregates>();
  for (const [key, points] of metrics) {
    const history = addPoints(undefined, pointsOf(points));
    if (history !== undefined) all.set(key, history);
  }
  return (key: string) => all.get(key);
}

test('the metrics whose history it takes', async () => {
  const expression = parsed(
    'MIN(metrics.a) > 1 OR NOT (COUNT(metrics.b) = 1 AND metrics.c = 1) OR LATEST(metrics.d) = 1',
  );
  expect([...needsHistory(expression)]).toEqual(['a', 'b']);
  const { run } = await makeRun({}, [['a', [[0, 0, 1]]]]);
  expect(() => evaluate(expression, run)).toThrow(/the history of metric a was not read/);
});

test.for<[text: string, pattern: string, matches: boolean, insensitive: boolean]>([
  ['abc', 'a%', true, true],
  ['abc', 'A%', false, true],
  ['abc', 'b', false, false],
  ['', '%', true, true],
  ['', '_', false, false],
  ['a\nb', 'a_b', true, true],
  ['a\nb', 'a%b', true, true],
  ['\u{1F600}', '_', true, true],
  ['a.c', 'a.c', true, true],
  ['abc', 'a.c', false, false],
  ['a%c', 'a\\%c', false, false],
  ['É', 'é', false, false],
  ['aab', '%ab', true, true],
  ['abab', '%ab%ab', true, true],
])('%s LIKE %s', ([text, pattern, matches, insensitive]) => {
  expect(matchesLike(text, pattern)).toBe(matches);
  expect(matchesIlike(text, pattern)).toBe(insensitive);
});

test('a pattern of many wildcards ends', () => {
  expect(matchesLike('a'.repeat(5000), `${'%a'.repeat(200)}%b`)).toBe(false);
});

test('experiments', () => {
  const experiment = makeExperiment({ name: 'Exp', experiment_id: '12', tags: { a: 'b' } });
  const fits = (text: string) => evaluateExperiment(parsed(text, 'experiments'), experiment);
  expect(fits("name ILIKE 'exp' AND tags.a = 'b' AND creation_time > 5")).toBe(true);
  expect(fits("NOT attribute.name = 'Exp' OR tags.missing != 'x'")).toBe(false);
  expect(fits('experiment_id IN (12, 13)')).toBe(true);
  expect(fits("experiment_id = '012'")).toBe(true);
});

test('the order of runs', async () => {
  const named = async (
    run_id: string,
    start_time: number,
    value?: number | 'NaN',
    param?: string,
  ): Promise<Run> => {
    const metrics: MemoryRun['metrics'] = value === undefined ? [] : [['m', [[0, 0, value]]]];
    return (await makeRun({ run_id, start_time, params: param === undefined ? {} : { p: param } }, metrics))
      .run;
  };
  const runs = await Promise.all([
    named('a', 1, 'NaN', '\u{1F600}'),
    named('b', 2),
    named('c', 3, 1, '\uffee'),
    named('d', 3, 2, 'a'),
    named('e', 3, 1, 'B'),
  ]);
  const sorted = (...orders: string[]) =>
    runs
      .toSorted(compareRuns(orders.map((text) => parseOrderBy(text))))
      .map(({ run_id }) => run_id)
      .join('');
  expect(sorted()).toBe('cdeba');
  expect(sorted('metrics.m')).toBe('cedab');
  expect(sorted('metrics.m DESC', 'start_time')).toBe('dceab');
  expect(sorted('params.p')).toBe('edcab');
  expect(sorted('params.p desc')).toBe('acdeb');
  expect(sorted('created')).toBe('abcde');
});
