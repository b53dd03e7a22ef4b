import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { inspect } from '../../src/inspect/inspect.ts';
import { FORMAT_VERSION } from '../../src/kinds/kinds.ts';
import type { WireRecord } from '../../src/kinds/wire-record.ts';
import { pointsOf } from '../../src/model/points.ts';
import type { Point, Run } from '../../src/model/records.ts';
import { lineOf } from '../../src/places/record-files/record-header.ts';
import { createTally } from '../../src/places/record-files/record-tally.ts';
import { verify } from '../../src/verify/verify.ts';

let directory = '';
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'checked-points-'));
});
afterEach(() => rm(directory, { recursive: true }));

const header: WireRecord = {
  kind: 'header',
  format: 'mlferry',
  version: FORMAT_VERSION,
  tool_version: '0.1.0',
  source: { kind: 'filestore', location: 'x', fingerprint: 'x' },
  selection: { experiments: [], runs: [], view: 'all' },
};
const experiment: WireRecord = {
  kind: 'experiment',
  experiment_id: '1',
  name: 'e',
  artifact_location: 'x',
  lifecycle_stage: 'active',
  tags: {},
};

/** A stream whose end vouches for it, with one run that shows these latest points and has these series. */
async function streamWith(latest_metrics: Run['latest_metrics'], series: Record<string, Point[][]>) {
  const run_id = 'r';
  const run: Run = {
    ...{ kind: 'run', run_id, experiment_id: '1', run_name: 'n', user_id: 'u', status: 'FINISHED' },
    ...{ start_time: 1, end_time: 2, lifecycle_stage: 'active', artifact_uri: 'x' },
    ...{ params: {}, tags: {}, dataset_inputs: [], latest_metrics },
  };
  const metrics = Object.entries(series).flatMap(([key, pieces]) =>
    pieces.map((points): WireRecord => ({ kind: 'metrics', run_id, key, points: pointsOf(points) })),
  );
  const tally = createTally();
  const lines = [header, experiment, run, ...metrics].map((record) => {
    tally.lines(lineOf(record));
    tally.record(record);
    return lineOf(record);
  });
  const path = join(directory, 'runs.ndjson');
  await writeFile(path, Buffer.concat([...lines, lineOf(tally.end())]));
  return path;
}

const series: Record<string, Point[][]> = {
  a: [
    [
      [1, 5, 0.5],
      [3, 5, 'NaN'],
    ],
    [[2, 9, 7]],
  ],
  b: [
    [
      [1, 1, -1],
      [1, 1, 4],
      [1, 1, -0],
    ],
  ],
  c: [[['9007199254740993', 1, 'Infinity']]],
};
const latest: Run['latest_metrics'] = {
  a: [3, 5, 'NaN'],
  b: [1, 1, 4],
  c: ['9007199254740993', 1, 'Infinity'],
};

test('a run whose latest points are those of its series is whole', async () => {
  const path = await streamWith(latest, series);
  expect(await verify(path, undefined)).toMatchObject({ exit_status: 0 });
  expect((await inspect(path)).total).toMatchObject({ points: 7, metric_keys: 3 });
});

test.each<[string, Run['latest_metrics']]>([
  ['another value', { ...latest, b: [1, 1, 5] }],
  ['a point that is not the latest', { ...latest, b: [1, 1, -1] }],
  ['no point of a series', { a: [3, 5, 'NaN'], b: [1, 1, 4] }],
  ['a point of no series', { ...latest, d: [1, 1, 1] }],
])('a run that shows %s is told', async (_what, shown) => {
  const path = await streamWith(shown, series);
  const report = await verify(path, undefined);
  expect(report.exit_status).toBe(3);
  expect(JSON.stringify(report)).toContain('does not agree with its latest point');
  expect((await inspect(path)).total.points).toBe(7);
});
