import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { copyBetween } from '../../src/copy/copy-between.ts';
import { explain } from '../../src/inspect/explain.ts';
import type { Point } from '../../src/model/records.ts';
import { ALL_ACTIVE, type Selection } from '../../src/model/selection.ts';
import { openReader } from '../../src/places/open.ts';
import { compareRuns } from '../../src/search/compare-runs.ts';
import { parseOrderBy } from '../../src/search/parse-order-by.ts';
import { DATABRICKS_EXAMPLES } from '../search/databricks-examples.ts';
import { fits, parsed } from '../search/runs-and-expressions.ts';
import { sharedServer } from '../servers/shared-server.ts';
import { copyTo, memoryReader } from './filestore/store.ts';
import {
  type MemoryRun,
  makeExperiment,
  makeRun,
  readerOptions,
  type Workspace,
} from './memory-workspace.ts';

const EXPRESSIONS = [
  ...DATABRICKS_EXAMPLES.map(([text]) => text),
  "run_name = 'run 7'",
  "status = 'FAILED' OR metrics.r2 >= 0.9",
  "NOT (tags.color = 'blue') AND NOT status = 'FAILED'",
  "tags.color LIKE 'b_ue' AND params.elasticNetParam ILIKE '0.%'",
  "tags.`my custom tag` LIKE 'my (v%'",
  'params.only_some IS NULL AND metrics.r2 < 0.2',
  "tags.color IS NOT NULL AND params.only_some != 'x'",
  'metrics.odd != 0',
  'metrics.odd = 0 OR metrics.odd < 0',
  'FIRST(metrics.rmse) > 3 AND NOT COUNT(metrics.odd) = 1',
  'COUNT(metrics.memUsage) = 0 OR COUNT(metrics.rmse) > 2 AND MAX(metrics.rmse) < 9',
  "dataset.name = 'train' AND dataset.context IN ('training', 'eval')",
  "metrics.r2 > 0.3 AND tags.`from` = 'it''s'",
  'start_time >= 1700000000020 AND start_time < 1700000000024',
];

/** Three experiments, the last of them without a run that is interesting. */
async function makeWorkspace(): Promise<Workspace> {
  const experiment = (id: string, name: string, team: string) =>
    makeExperiment({ experiment_id: id, name, tags: { team }, artifact_location: `mlflow-artifacts:/${id}` });
  const runs = await Promise.all([...Array(48).keys()].map(makeNumberedRun));
  const of = (id: string) => runs.filter(({ run }) => run.experiment_id === id);
  return [
    { experiment: experiment('101', 'first', 'a'), runs: of('101') },
    { experiment: experiment('102', 'second', 'b'), runs: of('102') },
    { experiment: experiment('103', 'third', 'b'), runs: of('103') },
  ];
}

async function makeNumberedRun(_: unknown, n: number): Promise<MemoryRun> {
  const some = <T>(condition: boolean, value: T): T[] => (condition ? [value] : []);
  const series = (values: readonly (number | 'NaN')[]): Point[] =>
    values.map((value, step) => [step, 1_700_000_000_000 + step, value]);
  const metrics: Array<[string, Point[]]> = [
    ['r2', series([0.1, (n % 10) / 10])],
    ...some(n % 2 === 0, ['avg_areaUnderROC', series([(n % 7) / 7])] as [string, Point[]]),
    ...some(n % 3 !== 0, ['rmse', series([5 - (n % 5), n % 4, 2 + (n % 3)])] as [string, Point[]]),
    ...some(n % 4 !== 0, ['memUsage', series([(n % 8) / 7, n % 5 === 0 ? 0 : 0.2])] as [string, Point[]]),
    ...some(n % 5 === 0, ['odd', series([n % 10 === 0 ? 'NaN' : n - 20])] as [string, Point[]]),
  ];
  return makeRun(
    {
      run_id: n.toString(16).padStart(32, 'c'),
      experiment_id: String(101 + (n % 3)),
      run_name: `run ${n}`,
      status: n % 6 === 0 ? 'FAILED' : 'FINISHED',
      start_time: 1_700_000_000_000 + n,
      params: {
        elasticNetParam: ['0.5', '0.50', '1'][n % 3] ?? '',
        ...(n % 4 === 0 ? { only_some: n % 8 === 0 ? 'x' : 'y' } : {}),
      },
      tags: {
        'mlflow.runName': `run ${n}`,
        color: ['blue', 'Blue', 'red', 'b.ue'][n % 4] ?? '',
        size: n % 2 === 0 ? '5' : '6',
        estimator_name: n % 9 === 0 ? 'RandomForestRegressor' : 'Tree',
        ...(n % 8 === 0 ? { 'my custom tag': 'my value' } : { 'my custom tag': 'my (value\nof two lines' }),
        ...(n % 7 === 0 ? { from: "it''s" } : {}),
      },
      dataset_inputs: some(n % 5 < 2, {
        dataset: {
          name: n % 5 === 0 ? 'train' : 'Train',
          digest: `d${n % 2}`,
          source_type: 'http',
          source: '{}',
        },
        tags: { 'mlflow.data.context': n % 2 === 0 ? 'training' : 'eval' },
      }),
    },
    metrics.sort(([a], [b]) => (a < b ? -1 : 1)),
  );
}

const newest = sharedServer();
const oldest = sharedServer({ version: '2.9.2' });
const onFileStore = sharedServer({ version: '2.9.2', store: 'filestore' });

let directory = '';
let runs: MemoryRun[] = [];
const places: Array<{ name: string; location: string }> = [];

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'mlferry-filters-'));
  const workspace = await makeWorkspace();
  runs = workspace.flatMap((each) => each.runs);
  const mlruns = join(directory, 'mlruns');
  const made = await copyTo(memoryReader(workspace), mlruns, { selection: ALL_ACTIVE });
  expect(made.report.failures).toEqual([]);
  places.push({ name: 'mlruns', location: mlruns });
  const targets = [
    { name: 'archive', location: join(directory, 'all.tar') },
    { name: 'stream', location: join(directory, 'all.ndjson') },
    { name: 'server 3.17.2', location: (await newest()).url },
    { name: 'server 2.9.2', location: (await oldest()).url },
    { name: 'server 2.9.2 on FileStore', location: (await onFileStore()).url },
  ];
  for (const { name, location } of targets) {
    const { report } = await copyBetween(mlruns, location);
    expect(report, name).toMatchObject({ exit_status: 0, runs: { created: runs.length } });
    places.push({ name, location });
  }
});
afterAll(() => rm(directory, { recursive: true, force: true }));

/** The names of the runs a reader gives, in its order, with what it found. */
async function namesOf(location: string, selection: Partial<Selection>) {
  const tempDir = await mkdtemp(join(tmpdir(), 'mlferry-spool-'));
  onTestFinished(() => rm(tempDir, { recursive: true, force: true }));
  const { options, losses, failures } = readerOptions(tempDir);
  const reader = await openReader(location, options);
  const wanted: Selection = { ...ALL_ACTIVE, ...selection };
  const names: string[] = [];
  try {
    for await (const experiment of reader.experiments(wanted))
      for await (const { run } of reader.runs(experiment, wanted)) names.push(run.run_name);
  } finally {
    await reader.close();
  }
  expect(failures).toEqual([]);
  return { names, codes: losses.map(({ code }) => code) };
}

const everywhere = async (selection: Partial<Selection>) => {
  const answers = new Map<string, string[]>();
  for (const { name, location } of places)
    answers.set(name, (await namesOf(location, selection)).names.sort());
  return answers;
};

const expected = (names: readonly string[]) => new Map(places.map(({ name }) => [name, [...names].sort()]));

describe('a filter', () => {
  test.each(EXPRESSIONS)('%s selects the same runs everywhere', async (filter) => {
    const expression = parsed(filter);
    const fitting = runs.filter((run) => fits(expression, run)).map(({ run }) => run.run_name);
    expect(fitting.length, 'the workspace has runs that fit and runs that do not').toBeGreaterThan(0);
    expect(fitting.length).toBeLessThan(runs.length);
    expect(await everywhere({ filter })).toEqual(expected(fitting));
  });

  test('joins with the other parts of a selection', async () => {
    const filter = 'MIN(metrics.rmse) <= 1';
    const fitting = runs.filter((run) => fits(parsed(filter), run)).map(({ run }) => run);
    const inSecond = fitting.filter(({ experiment_id }) => experiment_id === '102');
    expect(await everywhere({ filter, experiments: ['sec*'] })).toEqual(
      expected(inSecond.map(({ run_name }) => run_name)),
    );
    const inTeam = fitting.filter(({ experiment_id }) => experiment_id !== '101');
    expect(await everywhere({ filter, experiment_filter: "tags.team = 'b'" })).toEqual(
      expected(inTeam.map(({ run_name }) => run_name)),
    );
    expect(inTeam.length).toBeGreaterThan(inSecond.length);
  });

  test('with ids looks at these runs only', async () => {
    const ids = runs.slice(0, 20).map(({ run }) => run.run_id);
    const fitting = runs.slice(0, 20).filter(({ run }) => run.status === 'FAILED');
    for (const { location } of places.slice(0, 3)) {
      const { names } = await namesOf(location, { filter: "status = 'FAILED'", runs: ids });
      expect(names.sort()).toEqual(fitting.map(({ run }) => run.run_name).sort());
    }
  });
});

describe('max_runs', () => {
  test.each([
    [undefined, undefined],
    [['metrics.r2 DESC', 'start_time'], undefined],
    [['metrics.odd'], undefined],
    [['params.elasticNetParam DESC', 'tags.color'], 'metrics.r2 > 0.3'],
    [['metrics.rmse'], 'MAX(metrics.rmse) > 3'],
  ])('ordered by %j of %j takes the first of all experiments together', async (order_by, filter) => {
    const order = (order_by ?? ['start_time DESC']).map((text) => parseOrderBy(text));
    const first = runs
      .filter((run) => filter === undefined || fits(parsed(filter), run))
      .map(({ run }) => run)
      .toSorted(compareRuns(order))
      .slice(0, 7);
    const selection = {
      max_runs: 7,
      ...(order_by === undefined ? {} : { order_by }),
      ...(filter === undefined ? {} : { filter }),
    };
    expect(await everywhere(selection)).toEqual(expected(first.map(({ run_name }) => run_name)));
  });

  test('gives the runs in the order of readers', async () => {
    for (const { location } of places) {
      const { names } = await namesOf(location, {
        max_runs: 5,
        order_by: ['metrics.r2 DESC'],
        experiments: ['first'],
      });
      const numbers = names.map((name) => Number(name.slice(4)));
      expect(numbers).toEqual(numbers.toSorted((a, b) => a - b));
      expect(numbers).toHaveLength(5);
    }
  });
});

describe('explain', () => {
  const told = async (name: string, selection: Partial<Selection>) => {
    const place = places.find((each) => each.name === name);
    return explain(place?.location ?? '', { selection });
  };
  const filter = 'metrics.r2 > 0.3 AND MIN(metrics.rmse) < 1 AND params.only_some IS NULL';

  test('says what the server is asked, what is judged here, and whose histories are read', async () => {
    expect(await told('server 3.17.2', { filter })).toMatchObject({
      dialect: 'MLflow 3.17.2',
      pushed: 'metrics.r2 > 0.3 AND params.only_some IS NULL',
      here: 'MIN(metrics.rmse) < 1',
      histories: ['rmse'],
      refused: [],
    });
    expect(await told('server 2.9.2', { filter, max_runs: 3, order_by: ['created'] })).toMatchObject({
      dialect: 'MLflow 2.9.2',
      pushed: 'metrics.r2 > 0.3',
      here: 'MIN(metrics.rmse) < 1 AND params.only_some IS NULL',
      order: { columns: ['start_time ASC'], pushed: true, first: 3 },
    });
  });

  test('knows a FileStore behind a server, which sorts and matches in its own way', async () => {
    const selection = { filter: "tags.color LIKE 'b%'", max_runs: 3 };
    expect(await told('server 2.9.2', selection)).toMatchObject({
      pushed: "tags.color LIKE 'b%'",
      order: { pushed: true },
    });
    const onFiles = await told('server 2.9.2 on FileStore', selection);
    expect(onFiles).toMatchObject({ here: "tags.color LIKE 'b%'", order: { pushed: false } });
    expect(onFiles.pushed).toBeUndefined();
  });

  test('leaves everything here where there is no server', async () => {
    expect(await told('archive', { filter })).toEqual({
      place: expect.objectContaining({ kind: 'archive' }),
      here: filter,
      histories: ['rmse'],
      refused: [],
    });
  });
});

describe('a filtered copy', () => {
  test('creates no experiment without a selected run and records what was selected', async () => {
    const from = places[0]?.location ?? '';
    const to = join(directory, 'filtered.ndjson');
    const filter = "params.elasticNetParam = '0.50'";
    const { report } = await copyBetween(from, to, { selection: { filter, max_runs: 4 } });
    expect(report).toMatchObject({ exit_status: 0, runs: { read: 4, created: 4 }, experiments: { read: 1 } });
    const { names } = await namesOf(to, {});
    expect(names).toEqual(['run 37', 'run 40', 'run 43', 'run 46']);
  });
});
