import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { text } from 'node:stream/consumers';
import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { copyBetween } from '../../src/copy/copy-between.ts';
import { type CsvOptions, writeCsv } from '../../src/manage/csv.ts';
import { excelSafe } from '../../src/manage/csv-layouts.ts';
import { listRuns } from '../../src/manage/list-runs.ts';
import type { ListedRun } from '../../src/manage/sorted-runs.ts';
import { ownValue } from '../../src/model/string-map.ts';
import { NEWEST_MLFLOW, pythonOf } from '../servers/versions.ts';

const SAMPLES = 'samples/mlruns';
const directory = mkdtempSync(join(tmpdir(), 'mlferry-csv-'));
afterAll(() => rmSync(directory, { recursive: true, force: true }));

/** Rows as Python's csv module reads them: a parser that is not ours. */
function pythonRows(csv: string): string[][] {
  const script =
    'import csv,io,json,sys\nprint(json.dumps(list(csv.reader(io.StringIO(sys.stdin.buffer.read().decode(), newline="")))))';
  const output = execFileSync(pythonOf(NEWEST_MLFLOW), ['-c', script], { input: csv, maxBuffer: 2 ** 28 });
  return z.array(z.array(z.string())).parse(JSON.parse(output.toString()));
}

async function csvOf(place: string, options: CsvOptions) {
  const output = new PassThrough();
  const read = text(output);
  const result = await writeCsv(place, output, options);
  output.end();
  return { csv: await read, ...result };
}

const HARD = [
  "=cmd|' /C calc'!A0",
  'a,b',
  'say "hi"',
  'two\nlines',
  'cr\rlf\r\n',
  ' ünï 日本 😀 ',
  '-0.5',
  '+x',
  '@y',
  '\tz',
  "'",
  '',
  '\u2028',
];

/** A stream of runs whose texts are hard for CSV. */
function hardPlace(): string {
  const header = {
    kind: 'header',
    format: 'mlferry',
    version: 1,
    tool_version: '0.0.0',
    source: { kind: 'server', location: 'http://x', fingerprint: 'f' },
    selection: { experiments: [], runs: [], view: 'active' },
  };
  const experiment = {
    kind: 'experiment',
    experiment_id: '1',
    name: '=hard, "name"',
    artifact_location: '',
    lifecycle_stage: 'active',
    tags: {},
  };
  const runs = HARD.map((value, index) => ({
    kind: 'run',
    run_id: `run${index}`,
    experiment_id: '1',
    run_name: value,
    user_id: value,
    status: 'FINISHED',
    start_time: 1_700_000_000_000 + index,
    end_time: index % 2 === 0 ? null : 1_700_000_090_000 + index,
    lifecycle_stage: 'active',
    artifact_uri: '',
    params: { 'p,"1"': value, same: 'param', [`only${index}`]: '' },
    tags: { 'mlflow.source.name': value, same: value, t: HARD[(index + 1) % HARD.length] ?? '' },
    dataset_inputs: [],
    latest_metrics: {
      same: [1, 2, index === 0 ? 'NaN' : index === 1 ? '-Infinity' : -index / 3],
      m: [0, 0, 1e300],
    },
  }));
  const path = join(directory, 'hard.ndjson');
  const end = {
    kind: 'end',
    experiments: 1,
    runs: runs.length,
    points: 2 * runs.length,
    artifacts: 0,
    bytes: 0,
    sha256: '0'.repeat(64),
  };
  const lines = runs.flatMap((run) => [
    run,
    ...Object.entries(run.latest_metrics)
      .sort()
      .map(([key, point]) => ({ kind: 'metrics', run_id: run.run_id, key, points: [point] })),
  ]);
  writeFileSync(
    path,
    [header, experiment, ...lines, end].map((line) => `${JSON.stringify(line)}\n`).join(''),
  );
  return path;
}

async function runsOf(place: string, view: 'active' | 'all' = 'active'): Promise<ListedRun[]> {
  const runs: ListedRun[] = [];
  await listRuns(place, { selection: { view }, allowEdited: true }, async (run) => {
    runs.push(run);
  });
  return runs;
}

const keysOf = (runs: readonly ListedRun[], map: (run: ListedRun) => object) =>
  [...new Set(runs.flatMap((run) => Object.keys(map(run))))].sort();

/** What a wide row must hold, from the run itself. */
function expectedWide(runs: readonly ListedRun[], tags: boolean) {
  const params = keysOf(runs, (run) => run.params);
  const metrics = keysOf(runs, (run) => run.latest_metrics);
  const own = tags ? keysOf(runs, (run) => run.tags).filter((key) => !key.startsWith('mlflow.')) : [];
  return {
    heads: [...params, ...metrics, ...own],
    rows: runs.map((run) => [
      run.run_id,
      run.run_name || (run.tags['mlflow.runName'] ?? ''),
      run.tags['mlflow.source.type'] ?? '',
      run.tags['mlflow.source.name'] ?? '',
      run.tags['mlflow.user'] ?? run.user_id,
      run.status,
      ...params.map((key) => ownValue(run.params, key) ?? ''),
      ...metrics.map((key) => String(ownValue(run.latest_metrics, key)?.[2] ?? '')),
      ...own.map((key) => ownValue(run.tags, key) ?? ''),
    ]),
  };
}

const DATABRICKS = ['Run ID', 'Name', 'Source Type', 'Source Name', 'User', 'Status'];

describe.each([
  ['the samples', () => SAMPLES],
  ['hard texts', hardPlace],
])('CSV of %s, read by Python', (_, place) => {
  it('has the columns and values of Databricks’ layout', async () => {
    const { csv, runs } = await csvOf(place(), { layout: 'databricks', allowEdited: true });
    const { heads, rows } = expectedWide(await runsOf(place()), false);
    expect(runs).toBe(rows.length);
    expect(pythonRows(csv)).toEqual([[...DATABRICKS, ...heads], ...rows]);
  });

  it('has those of MLflow’s layout, with times', async () => {
    const { csv } = await csvOf(place(), { layout: 'mlflow', allowEdited: true });
    const { heads, rows } = expectedWide(await runsOf(place()), true);
    const [head, ...read] = pythonRows(csv);
    expect(head).toEqual(['Start Time', 'Duration', ...DATABRICKS, ...heads]);
    expect(read.map((row) => row.slice(2))).toEqual(rows);
    const times = (await runsOf(place())).map(({ start_time }) =>
      new Date(Number(start_time)).toISOString().slice(0, 19).replace('T', ' '),
    );
    expect(read.map(([time]) => time)).toEqual(times);
    expect(read.every(([, duration = '']) => /^(\d+ms|\d+\.\d(s|min|h|d))?$/.test(duration))).toBe(true);
  });

  it('has one row a metric in the tidy layout', async () => {
    const { csv } = await csvOf(place(), { layout: 'tidy', allowEdited: true });
    const expected = (await runsOf(place())).flatMap((run) =>
      Object.entries(run.latest_metrics).map(([metric, [step, timestamp, value]]) => [
        run.experiment_id,
        run.experiment_name,
        run.run_id,
        run.run_name,
        run.status,
        String(run.start_time),
        String(run.end_time ?? ''),
        metric,
        ...[step, timestamp, value].map(String),
      ]),
    );
    expect(pythonRows(csv).slice(1)).toEqual(expected);
  });
});

it('has every point of the histories, and refuses them in a wide layout', async () => {
  const { csv } = await csvOf(SAMPLES, { layout: 'tidy', history: true });
  const stream = join(directory, 'samples.ndjson');
  await copyBetween(SAMPLES, stream, {});
  const points = execFileSync('grep', ['"kind":"metrics"', stream], { maxBuffer: 2 ** 28 })
    .toString()
    .trimEnd()
    .split('\n')
    .map((line) =>
      z
        .object({ run_id: z.string(), key: z.string(), points: z.array(z.array(z.unknown())) })
        .parse(JSON.parse(line)),
    )
    .flatMap(({ run_id, key, points }) => points.map((point) => [run_id, key, ...point.map(String)]));
  const rows = pythonRows(csv).slice(1);
  expect(rows.map((row) => [row[2], ...row.slice(7)])).toEqual(points);
  expect(points.length).toBe(310);
  await expect(csvOf(SAMPLES, { layout: 'mlflow', history: true })).rejects.toMatchObject({ code: 'USAGE' });
});

it('ends lines with CRLF and says which heads stand twice', async () => {
  const { csv, repeated_keys } = await csvOf(hardPlace(), { layout: 'mlflow', allowEdited: true });
  expect(csv.split('\r\n')[0]).toContain('Start Time,Duration,Run ID');
  expect(csv.endsWith('\r\n')).toBe(true);
  expect(repeated_keys).toEqual(['same']);
});

it('guards texts, not numbers, against being taken for formulas', async () => {
  const { csv } = await csvOf(hardPlace(), { layout: 'mlflow', allowEdited: true, excelSafe: true });
  const rows = pythonRows(csv).slice(1);
  const names = rows.map((row) => row[3]);
  expect(names).toEqual(HARD.map((value) => (/^[=@\t]/.test(value) || value === '+x' ? `'${value}` : value)));
  expect(rows.flat()).toContain(String(-2 / 3));
});

it('never lets a text start like a formula', () => {
  fc.assert(
    fc.property(
      fc.tuple(fc.constantFrom('=', '+', '-', '@', '\t', '\r', '\n', '＝', ''), fc.string()),
      ([first, rest]) => {
        const guarded = excelSafe(first + rest);
        expect(/^[=@\t\r\n＝]/.test(guarded)).toBe(false);
        expect(/^[+-]/.test(guarded) && Number.isNaN(Number(guarded))).toBe(false);
      },
    ),
  );
});
