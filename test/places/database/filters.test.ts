import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { toDouble } from '../../../src/model/metric-value.ts';
import type { Point } from '../../../src/model/records.ts';
import { ALL_ACTIVE } from '../../../src/model/selection.ts';
import { openReader } from '../../../src/places/open.ts';
import type { Expression } from '../../../src/search/expression.ts';
import { formatExpression } from '../../../src/search/format-expression.ts';
import { anExpression, aRun, fits } from '../../search/runs-and-expressions.ts';
import { collect, type MemoryRun, readerOptions } from '../memory-workspace.ts';
import { ENGINES } from './database-servers.ts';
import { experimentRow, makeDatabase, runRow } from './make-database.ts';

const isLong = process.env.MLFERRY_TEST_LONG === '1';
const RUNS = 40;
const EXPRESSIONS = isLong ? 3000 : 100;
const seed = isLong ? Date.now() % 2 ** 31 : 20_240;

type Rows = ReadonlyArray<Readonly<Record<string, string | number | null>>>;

const stored = (value: number) =>
  Number.isNaN(value) ? 0 : Math.max(-Number.MAX_VALUE, Math.min(Number.MAX_VALUE, value));
const pointRow = (run_uuid: string, key: string, [step, timestamp, value]: Point) => ({
  ...{ run_uuid, key, step: Number(step), timestamp: Number(timestamp), value: stored(toDouble(value)) },
  is_nan: Number.isNaN(toDouble(value)) ? 1 : 0,
});

/** The rows of runs, by table. */
function rowsOf(
  runs: readonly MemoryRun[],
  isBoolean: boolean,
): ReadonlyArray<readonly [table: string, rows: Rows]> {
  const flag = (row: ReturnType<typeof pointRow>): Rows[number] =>
    isBoolean ? { ...row, is_nan: row.is_nan === 1 ? 'true' : 'false' } : row;
  const texts = (of: 'params' | 'tags') =>
    runs.flatMap(({ run }) =>
      Object.entries(run[of]).map(([key, value]) => ({ run_uuid: run.run_id, key, value })),
    );
  const points = runs.flatMap(({ run, metrics }) =>
    metrics.flatMap(([key, own]) => own.map((point) => pointRow(run.run_id, key, point))),
  );
  const latest = runs.flatMap(({ run }) =>
    Object.entries(run.latest_metrics).map(([key, point]) => pointRow(run.run_id, key, point)),
  );
  const once = new Map(points.map((row) => [JSON.stringify(row), row]));
  return [
    ['experiments', [experimentRow({ experiment_id: 1 }) as Rows[number]]],
    [
      'runs',
      runs.map(
        ({ run }) =>
          runRow({
            ...{ run_uuid: run.run_id, name: run.run_name, status: run.status, start_time: run.start_time },
          }) as Rows[number],
      ),
    ],
    ['params', texts('params')],
    ['tags', texts('tags')],
    ['metrics', [...once.values()].map(flag)],
    ['latest_metrics', latest.map(flag)],
  ];
}

let directory: string;
let runs: MemoryRun[] = [];
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'mlferry-filters-'));
  const made = await Promise.all(fc.sample(aRun, { numRuns: RUNS, seed }));
  const known = new Map(
    made.map((each) => [
      each.run.run_id,
      { ...each, run: { ...each.run, experiment_id: '1', dataset_inputs: [] } },
    ]),
  );
  runs = [...known.values()];
});
afterAll(() => rm(directory, { recursive: true, force: true }));

/** A filter, where the expression has a text. */
function textOf(expression: Expression): string[] {
  try {
    // Of points of one step and time no database tells which came first, and of equal ones it has one.
    return [formatExpression(expression)].filter((text) => !/FIRST\(|COUNT\(/.test(text));
  } catch {
    return [];
  }
}

const sqlite = {
  name: 'SQLite',
  isThere: async () => true,
  async make() {
    const { path, insert, close } = makeDatabase(join(directory, 'filters.db'));
    return {
      uri: `sqlite:///${path}`,
      insert: async (table: string, rows: Rows) => insert(table, ...rows),
      drop: async () => close(),
    };
  },
};

describe.each([sqlite, ...ENGINES])('a filter over a database on $name', ({ name, isThere, make }) => {
  it('gives the runs that fit, whatever the engine sorts out', async ({ skip }) => {
    if (!(await isThere())) skip('the engine is neither running nor installed');
    const database = await make();
    try {
      for (const [table, rows] of rowsOf(runs, name === 'PostgreSQL')) await database.insert(table, rows);
      const reader = await openReader(database.uri, readerOptions(directory).options);
      const [experiment] = await collect(reader.experiments(ALL_ACTIVE));
      if (experiment === undefined) throw new Error('no experiment');
      let found = 0;
      for (const expression of fc.sample(anExpression, { numRuns: EXPRESSIONS, seed })) {
        for (const filter of textOf(expression)) {
          const got = await collect(reader.runs(experiment, { ...ALL_ACTIVE, filter }));
          const wanted = runs.filter((run) => fits(expression, run)).map(({ run }) => run.run_id);
          expect([filter, got.map(({ run }) => run.run_id).toSorted()]).toEqual([filter, wanted.toSorted()]);
          found += got.length;
        }
      }
      expect(found).toBeGreaterThan(EXPRESSIONS);
      await reader.close();
    } finally {
      await database.drop();
    }
  }, 120_000);
});
