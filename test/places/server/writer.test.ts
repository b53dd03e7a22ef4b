import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { COPY_TAG, ORIGIN_TAG } from '../../../src/model/canonical.ts';
import { limitsOf } from '../../../src/model/mlflow/limits.ts';
import type { Point } from '../../../src/model/records.ts';
import type { RunReader, WrittenRun } from '../../../src/places/place.ts';
import type { WriterOptions } from '../../../src/places/place-options.ts';
import { openServerWriter } from '../../../src/places/server/write/writer.ts';
import { type FaultProxy, startFaultProxy } from '../../faults/proxy.ts';
import { type ServerOptions, startServer, type TestServer } from '../../servers/start-server.ts';
import { serverAt } from '../locations.ts';
import { type MemoryRun, memoryExperiment, memoryRun, targetOf, writerOptions } from './memory-source.ts';
import { rest } from './rest.ts';

const READS = /^GET |^POST (runs|experiments)\/search$/;
const series = (length: number, value: (step: number) => Point[2] = (step) => step / 7): Point[] =>
  Array.from({ length }, (_, step) => [step, 1_700_000_000_000 + step * 1000, value(step)]);

/** Every kind of content, most of it beyond some limit. */
const everything: MemoryRun = {
  run: {
    params: Object.fromEntries([
      ...Array.from({ length: 130 }, (_, i) => [`p${i}`, `value ${i}`]),
      ['empty', ''],
      ['long', 'x'.repeat(7000)],
      ['bad@key', 'v'],
    ]),
    tags: Object.fromEntries([
      ...Array.from({ length: 130 }, (_, i) => [`t${i}`, `wert ${i} ü`]),
      ['long', 'ü'.repeat(8100)],
      ['mlflow.user', 'somebody'],
    ]),
    dataset_inputs: [
      {
        dataset: {
          name: 'data',
          digest: 'abc',
          source_type: 'local',
          source: '{"uri": "x"}',
          schema: '{}',
          profile: '{"n": 1}',
        },
        tags: { 'mlflow.data.context': 'training' },
      },
    ],
  },
  metrics: [
    ['bad@metric', series(3)],
    ['m/ü x', series(2500)],
    [
      'odd',
      [
        [0, 0, 'NaN'],
        [0, 0, 'NaN'],
        [1, 1, 'Infinity'],
        [2, 1, '-Infinity'],
        [-7, 5, 5e-324],
        ['9223372036854775807', 6, 1],
        [3, -1, 1],
      ],
    ],
    ...Array.from({ length: 150 }, (_, i): [string, Point[]] => [
      `wide/${String(i).padStart(3, '0')}`,
      series(2),
    ]),
  ],
  artifacts: [
    ['a.txt', 'hello'],
    ['dir/deep/b c+ü.txt', 'x'.repeat(100_000)],
    ['empty', ''],
    ['odd %41#.txt', 'odd'],
    ['why?/a.txt', 'why'],
    ['part;/b.txt', 'part'],
    ['unknown', undefined],
  ],
};

/** `MLFERRY_TEST_LONG=1`: one more of the versions with gunicorn. */
const long = process.env.MLFERRY_TEST_LONG === '1';

const targets: Array<[string, ServerOptions]> = [
  ['3.17.2 on SQLite', { version: '3.17.2' }],
  ['3.17.2 on PostgreSQL', { version: '3.17.2', store: 'postgresql' }],
  ...(long ? [['3.1.4', { version: '3.1.4' }] satisfies [string, ServerOptions]] : []),
  ['2.22.5', { version: '2.22.5' }],
  ['2.9.2 on SQLite', { version: '2.9.2' }],
  ['2.9.2 on a FileStore', { version: '2.9.2', store: 'filestore' }],
];

it('knows the artifact roots it can write to, and tells of those it cannot', async () => {
  await using server = await startServer({ version: '3.17.2', artifacts: 'plain' });
  const tempDir = await mkdtemp(join(tmpdir(), 'mlferry-writer-'));
  const place = serverAt(server.url);
  const { call, files, file } = rest(server.url);
  await call('experiments/create', { name: 'bucket', artifact_location: 's3://no-such-bucket/x' });
  const artifacts = [
    ['dir/%41#.txt', 'plain names need no change'],
    ['empty', ''],
  ] as const;
  const source = memoryRun({ artifacts, run: { params: { long: 'x'.repeat(7000) }, start_time: null } });
  const options = writerOptions(tempDir);
  const writer = await openServerWriter(place, options);

  const plain = await writer.run(
    source,
    targetOf(source, await writer.experiment(memoryExperiment({}), 'plain')),
  );
  expect(plain).toMatchObject({ artifacts: 2, bytes: 26 });
  expect(options.findings.losses.map(({ code }) => code)).toEqual(['PARAM_TOO_LONG', 'START_TIME_UNSET']);
  expect((await files(plain.run_id)).map(([path]) => path)).toEqual([
    'dir/%41#.txt',
    'empty',
    'mlferry/oversize.json',
  ]);
  expect(JSON.parse(await file(plain.run_id, 'mlferry/oversize.json'))).toMatchObject({
    params: source.run.params,
  });

  options.findings.losses.length = 0;
  const bucket = await writer.run(
    source,
    targetOf(source, await writer.experiment(memoryExperiment({}), 'bucket')),
  );
  expect(bucket).toMatchObject({ outcome: 'created', artifacts: 0 });
  const unreachable = options.findings.losses.filter(({ code }) => code === 'ARTIFACTS_UNREACHABLE');
  expect(unreachable).toMatchObject([{ count: 2 }, { key: 'mlferry/oversize.json' }]);

  const { experiment_id } = await writer.experiment(memoryExperiment({}), 'plain');
  const tags = { 'mlflow.parentRunId': bucket.run_id, 'mlferry.origin_parent': null };
  await writer.secondPass({
    runs: [{ run_id: plain.run_id, experiment_id, tags }],
    deleted_runs: [],
    deleted_experiments: [],
  });
  await writer.finish();
  expect(options.findings.failures).toEqual([]);
  expect((await rest(server.url).run(plain.run_id)).tags['mlflow.parentRunId']).toBe(bucket.run_id);
  await rm(tempDir, { recursive: true, force: true });
});

describe.each(targets)(
  'writing to MLflow %s',
  (_name, serverOptions) => {
    let server: TestServer;
    let proxy: FaultProxy;
    let tempDir: string;

    beforeAll(async () => {
      tempDir = await mkdtemp(join(tmpdir(), 'mlferry-writer-'));
      server = await startServer(serverOptions);
      proxy = await startFaultProxy(server.url);
    }, 180_000);

    afterAll(async () => {
      await proxy?.close();
      await server?.stop();
      await rm(tempDir, { recursive: true, force: true });
    });

    /** One whole pass over one run, as the engine does it; `sent`: the requests that change something. */
    async function pass(
      source: RunReader,
      name: string,
      more: { options?: Partial<WriterOptions>; experiment?: object } = {},
    ) {
      const options = writerOptions(tempDir, more.options);
      const before = proxy.requests.length;
      const place = serverAt(proxy.url);
      const writer = await openServerWriter(place, options);
      let written: WrittenRun;
      const experiment = memoryExperiment(more.experiment ?? {});
      const target = await writer.experiment(experiment, name);
      try {
        const runTarget = targetOf(source, target);
        const current = await writer.isCurrent(source.run, target, runTarget.digest ?? '');
        written = current ?? (await writer.run(source, runTarget));
        const deleted = source.run.lifecycle_stage === 'deleted' && written.outcome !== 'unchanged';
        const { experiment_id } = target;
        const time = { deleted_time: 1_700_000_200_000 };
        await writer.secondPass({
          runs: [],
          deleted_runs: deleted ? [{ run_id: written.run_id, experiment_id, ...time }] : [],
          deleted_experiments: experiment.lifecycle_stage === 'deleted' ? [experiment_id] : [],
        });
        await writer.finish();
      } catch (error) {
        await writer.abort();
        throw error;
      }
      const { losses, failures } = options.findings;
      const sent = proxy.requests.slice(before).flatMap(({ route }) => (READS.test(route) ? [] : [route]));
      return {
        written,
        losses,
        failures,
        sent,
        target,
        codes: [...new Set(losses.map(({ code }) => code))].sort(),
      };
    }

    it('writes everything the target can hold, and tells the rest', async () => {
      const source = memoryRun(everything);
      const { written, codes, failures, target } = await pass(source, 'everything', {
        experiment: { tags: { 'mlflow.note.content': 'n'.repeat(30_000), team: 'a' } },
      });
      const { params, tags, info, inputs, metrics } = await rest(server.url).run(written.run_id);
      const limits = limitsOf(server.version);

      expect(failures).toEqual([]);
      expect(codes).toEqual(
        [
          'ARTIFACTS_NOT_CARRIED',
          'ARTIFACT_NAME',
          'DUPLICATE_POINTS',
          'EXPERIMENT_TAG_TOO_LONG',
          ...(serverOptions.store === 'filestore' ? [] : ['INFINITY_CLAMPED']),
          'KEY_NOT_ALLOWED',
          'PARAM_TOO_LONG',
          'TAG_TOO_LONG',
          'TIMESTAMP_NOT_ALLOWED',
        ].sort(),
      );
      expect(info).toMatchObject({
        experiment_id: target.experiment_id,
        user_id: 'somebody',
        status: 'FINISHED',
        start_time: 1_700_000_000_000,
        end_time: 1_700_000_100_000,
        lifecycle_stage: 'active',
      });
      const { long, 'bad@key': _bad, ...fine } = source.run.params;
      expect(params).toEqual({ ...fine, long: long?.slice(0, limits.param) });
      expect(tags).toEqual({
        ...source.run.tags,
        long: 'ü'.repeat(limits.tag),
        'mlflow.runName': 'a run',
        [ORIGIN_TAG]: 'fingerprint/source-1',
        [COPY_TAG]: tags[COPY_TAG],
      });
      expect(inputs).toMatchObject([
        {
          dataset: source.run.dataset_inputs[0]?.dataset,
          tags: [{ key: 'mlflow.data.context', value: 'training' }],
        },
      ]);
      expect(metrics).toHaveLength(152);
      const byStep = (a: (string | number)[], b: (string | number)[]) => Number(a[0]) - Number(b[0]);
      expect((await rest(server.url).history(written.run_id, 'm/ü x')).sort(byStep)).toEqual(series(2500));
      const clamp = (value: Point[2]) =>
        serverOptions.store === 'filestore'
          ? value
          : value === 'Infinity'
            ? Number.MAX_VALUE
            : value === '-Infinity'
              ? -Number.MAX_VALUE
              : value;
      expect((await rest(server.url).history(written.run_id, 'odd')).sort(byStep)).toEqual([
        [-7, 5, 5e-324],
        [0, 0, 'NaN'],
        [1, 1, clamp('Infinity')],
        [2, 1, clamp('-Infinity')],
        ['9223372036854775807', 6, 1],
      ]);
      const files = await rest(server.url).files(written.run_id);
      expect(files.filter(([path]) => !path.startsWith('mlferry/'))).toEqual([
        ['a.txt', 5],
        ['dir/deep/b c+ü.txt', 100_000],
        ['empty', 0],
      ]);
      const oversize: unknown = JSON.parse(
        await rest(server.url).file(written.run_id, 'mlferry/oversize.json'),
      );
      expect(oversize).toEqual({
        format: 'mlferry-oversize',
        version: 1,
        params: { long, 'bad@key': 'v' },
        tags: { long: source.run.tags.long },
        dataset_inputs: [],
      });
      const refused = (await rest(server.url).file(written.run_id, 'mlferry/metrics.ndjson'))
        .trim()
        .split('\n')
        .map((line): unknown => JSON.parse(line));
      expect(refused).toEqual([
        { kind: 'metrics', run_id: 'source-1', key: 'bad@metric', points: series(3) },
        { kind: 'metrics', run_id: 'source-1', key: 'odd', points: [[3, -1, 1]] },
      ]);
      const renamed: unknown = JSON.parse(
        await rest(server.url).file(written.run_id, 'mlferry/renamed.json'),
      );
      const below = files.flatMap(([path]) => (path.startsWith('mlferry/renamed/') ? [path] : []));
      const nameOf = (end: string) => below.find((path) => path.endsWith(end)) ?? '';
      expect(renamed).toEqual({
        format: 'mlferry-renamed',
        version: 1,
        files: {
          'odd %41#.txt': nameOf('-odd_41_.txt'),
          'part;/b.txt': nameOf('-b.txt'),
          'why?/a.txt': nameOf('-a.txt'),
        },
      });
      for (const [end, content] of [
        ['-odd_41_.txt', 'odd'],
        ['-b.txt', 'part'],
        ['-a.txt', 'why'],
      ] as const)
        expect(await rest(server.url).file(written.run_id, nameOf(end))).toBe(content);
      expect((await rest(server.url).experiment(target.experiment_id)).tags).toMatchObject({
        'mlflow.note.content': 'n'.repeat(limits.experimentTag),
        team: 'a',
      });
    });

    it('sends nothing the second time', async () => {
      const { written, sent, failures } = await pass(memoryRun(everything), 'everything', {
        experiment: { tags: { 'mlflow.note.content': 'n'.repeat(30_000), team: 'a' } },
      });
      expect(written).toMatchObject({ outcome: 'unchanged', points: 0, artifacts: 0 });
      expect(sent).toEqual([]);
      expect(failures).toEqual([]);
    });

    it('sends only the growth', async () => {
      const before = memoryRun({
        run: { run_id: 'grows', status: 'RUNNING', end_time: null, params: { a: '1' }, tags: { t: 'x' } },
        metrics: [
          ['done', series(50)],
          ['nan', series(5, () => 'NaN')],
          ['series', series(1500)],
        ],
        artifacts: [
          ['same', 'same'],
          ['changes', 'one'],
        ],
      });
      const first = await pass(before, 'growth');
      expect(first.written).toMatchObject({ outcome: 'created', points: 1555, artifacts: 2 });

      const onlyFiles = memoryRun({
        ...grown(before),
        artifacts: [
          ['same', 'same'],
          ['changes', 'one'],
          ['new', 'x'],
        ],
      });
      const second = await pass(onlyFiles, 'growth');
      expect(second.written).toMatchObject({ outcome: 'updated', points: 0, artifacts: 1, bytes: 1 });
      expect(second.sent).toEqual(['PUT mlflow-artifacts/artifacts', 'POST runs/log-batch']);

      const after = memoryRun({
        run: { run_id: 'grows', params: { a: '1', b: '2' }, tags: { t: 'y' } },
        metrics: [
          ['done', series(50)],
          ['nan', series(7, () => 'NaN')],
          ['new', series(3)],
          ['series', series(4000)],
        ],
        artifacts: [
          ['same', 'same'],
          ['changes', 'two'],
          ['new', 'x'],
        ],
      });
      const third = await pass(after, 'growth');
      expect(third.failures).toEqual([]);
      expect(third.written).toMatchObject({
        outcome: 'updated',
        points: 2 + 3 + 2500,
        artifacts: 1,
        bytes: 3,
      });
      const { run_id } = third.written;
      expect(run_id).toBe(first.written.run_id);
      expect(await rest(server.url).history(run_id, 'series')).toHaveLength(4000);
      expect(await rest(server.url).history(run_id, 'nan')).toHaveLength(7);
      expect(await rest(server.url).file(run_id, 'changes')).toBe('two');
      const { params, tags, info } = await rest(server.url).run(run_id);
      expect(params).toEqual({ a: '1', b: '2' });
      expect(tags.t).toBe('y');
      expect(info).toMatchObject({ status: 'FINISHED', end_time: 1_700_000_100_000 });
      expect((await pass(after, 'growth')).sent).toEqual([]);
    });

    function grown(source: RunReader): MemoryRun {
      return {
        run: source.run,
        metrics: [
          ['done', series(50)],
          ['nan', series(5, () => 'NaN')],
          ['series', series(1500)],
        ],
      };
    }

    it('completes a run that an earlier pass left half-written', async () => {
      const source = memoryRun({
        run: { run_id: 'half', params: { a: '1' } },
        metrics: [['x', series(1800)]],
      });
      const refusal = '{"error_code": "INVALID_PARAMETER_VALUE", "message": "told to"}';
      proxy.play([
        { route: 'runs/log-batch', nth: 0, action: { do: 'answer', status: 200, body: '{}' } },
        { route: 'runs/log-batch', nth: 1, action: { do: 'answer', status: 400, body: refusal } },
      ]);
      await expect(pass(source, 'half')).rejects.toMatchObject({ code: 'REFUSED' });
      const { written, failures } = await pass(source, 'half');
      expect(written).toMatchObject({ outcome: 'updated', points: 1800 });
      expect(failures).toEqual([]);
      expect(await rest(server.url).history(written.run_id, 'x')).toHaveLength(1800);
    });

    it('keeps the twin out when answers of creates get lost', async () => {
      const source = memoryRun({ run: { run_id: 'lost' } });
      const action = { do: 'commit', reply: 'reset' } as const;
      proxy.play([
        { route: 'POST experiments/create', action },
        { route: 'POST runs/create', action },
      ]);
      const { written, failures, target } = await pass(source, 'lost answers');
      expect(written.outcome).toBe('created');
      expect(failures).toEqual([]);
      expect((await rest(server.url).runs(target.experiment_id)).map(({ info }) => info.run_id)).toEqual([
        written.run_id,
      ]);
    });

    it('neither loses nor doubles points when answers of batches get lost', async () => {
      const source = memoryRun({
        run: { run_id: 'batches' },
        metrics: [
          ['nan', series(900, (step) => (step % 2 === 0 ? 'NaN' : step))],
          ['x', series(900)],
        ],
      });
      proxy.play([{ route: 'runs/log-batch', times: 2, action: { do: 'commit', reply: 'reset' } }]);
      const { written, failures } = await pass(source, 'lost batches');
      expect(failures).toEqual([]);
      expect(await rest(server.url).history(written.run_id, 'nan')).toHaveLength(900);
      expect(await rest(server.url).history(written.run_id, 'x')).toHaveLength(900);
    });

    it('deletes deleted runs and experiments last, and leaves them so', async () => {
      const source = memoryRun({
        run: { run_id: 'gone', lifecycle_stage: 'deleted' },
        metrics: [['x', series(3)]],
      });
      const experiment = { lifecycle_stage: 'deleted' as const };
      const first = await pass(source, 'deleted experiment', { experiment });
      expect(first.failures).toEqual([]);
      expect(first.codes).toEqual(['DELETED_TIME']);
      expect(await rest(server.url).experiment(first.target.experiment_id)).toMatchObject({
        lifecycle_stage: 'deleted',
      });
      expect((await rest(server.url).run(first.written.run_id)).info.lifecycle_stage).toBe('deleted');

      const second = await pass(source, 'deleted experiment', { experiment });
      expect(second).toMatchObject({ sent: [], losses: [], failures: [] });

      const grownSource = memoryRun({
        run: { run_id: 'gone', lifecycle_stage: 'deleted', tags: { more: '1' } },
        metrics: [['x', series(5)]],
      });
      const third = await pass(grownSource, 'deleted experiment', { experiment });
      expect(third.failures).toEqual([]);
      expect(third.written).toMatchObject({ outcome: 'updated', points: 2 });
      expect(await rest(server.url).experiment(first.target.experiment_id)).toMatchObject({
        lifecycle_stage: 'deleted',
      });
      expect((await rest(server.url).run(third.written.run_id)).info.lifecycle_stage).toBe('deleted');

      await expect(pass(source, 'deleted experiment')).rejects.toMatchObject({
        code: 'REFUSED',
        hint: expect.stringContaining('--rename'),
      });
    });

    it('leaves a copy deleted that someone deleted on the target', async () => {
      const source = memoryRun({ run: { run_id: 'left' } });
      const { written } = await pass(source, 'left');
      await rest(server.url).call('runs/delete', { run_id: written.run_id });
      expect(await pass(source, 'left')).toMatchObject({ written: { outcome: 'left' }, sent: [] });
    });

    it('sends nothing in a dry run and predicts the result', async () => {
      const source = memoryRun({ ...everything, run: { ...everything.run, run_id: 'dry' } });
      const dry = await pass(source, 'dry', { options: { dryRun: true } });
      expect(dry.sent).toEqual([]);
      const real = await pass(source, 'dry');
      expect({ ...dry.written, run_id: '' }).toEqual({ ...real.written, run_id: '' });
      if (serverOptions.store !== 'filestore') expect(dry.losses).toEqual(real.losses);
      const grownSource = memoryRun({
        run: { ...source.run, tags: { new: '1' } },
        metrics: [...(everything.metrics ?? []), ['z', series(10)]],
        artifacts: [],
      });
      const again = await pass(grownSource, 'dry', { options: { dryRun: true } });
      expect(again.sent).toEqual([]);
      expect(again.written).toMatchObject({ outcome: 'updated', points: 10 });
    });

    it('keeps to the columns of a database that turns out to have some', async () => {
      const source = memoryRun({
        run: { run_id: 'columns', run_name: 'n'.repeat(300), params: { nul: 'a\0b' } },
        metrics: [['x', series(3)]],
      });
      const { written, codes, failures } = await pass(source, 'columns');
      const postgresql = serverOptions.store === 'postgresql';
      expect(failures).toEqual([]);
      expect(written).toMatchObject({ outcome: 'created', points: 3 });
      expect(codes).toEqual(postgresql ? ['NAME_TOO_LONG', 'VALUE_NOT_ALLOWED'] : []);
      const { info, params } = await rest(server.url).run(written.run_id);
      expect(info.run_name).toBe('n'.repeat(postgresql ? 250 : 300));
      expect(params).toEqual({ nul: postgresql ? 'a\ufffdb' : 'a\0b' });
      expect((await pass(source, 'columns')).sent).toEqual([]);
    });

    it('finds a copy by its source id in any experiment', async () => {
      const { written } = await pass(memoryRun({ run: { run_id: 'find_me' } }), 'find');
      const place = serverAt(server.url);
      const writer = await openServerWriter(place, writerOptions(tempDir));
      const copy = new Map([['find_me', written.run_id]]);
      expect(await writer.findRuns?.(['find_me', 'findXme', "no 'id"])).toEqual(copy);
      const many = Array.from({ length: 30 }, (_, index) => `absent${index}`);
      expect(await writer.findRuns?.([...many, 'find_me'])).toEqual(copy);
      await writer.abort();
    });

    it('tells a mismatch that came meanwhile', async () => {
      const source = memoryRun({ run: { run_id: 'mismatch', params: { a: '1' } } });
      proxy.play([{ route: 'POST runs/update', action: { do: 'answer', status: 200, body: '{}' } }]);
      const { failures } = await pass(source, 'mismatch');
      expect(failures).toMatchObject([{ code: 'MISMATCH', message: expect.stringContaining('status') }]);
      const { failures: mended, written } = await pass(source, 'mismatch');
      expect(mended).toEqual([]);
      expect(written.outcome).toBe('updated');
    });

    it('reads a short source once more, then fails the file and leaves the run incomplete', async () => {
      const source = memoryRun({ run: { run_id: 'short' }, artifacts: [['f', 'four']] });
      let opened = 0;
      const short: RunReader = {
        ...source,
        async open() {
          opened++;
          return memoryRun({ artifacts: [['f', 'fo']] }).open({ path: 'f' });
        },
      };
      const { written, failures } = await pass(short, 'short');
      expect(written).toMatchObject({ outcome: 'created', artifacts: 0, incomplete: true });
      expect(failures).toMatchObject([
        { code: 'SHORT_BODY', object: expect.stringContaining('artifact "f"') },
      ]);
      expect(opened).toBe(2);
    });
  },
  120_000,
);
