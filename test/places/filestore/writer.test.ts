import { appendFile, mkdir, mkdtemp, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { COPY_TAG, DIGEST_TAG, FILES_TAG, ORIGIN_TAG } from '../../../src/model/canonical.ts';
import { toJson } from '../../../src/model/json.ts';
import type { Experiment, Run } from '../../../src/model/records.ts';
import { openFileStoreWriter } from '../../../src/places/filestore/write/writer.ts';
import { MlferryError } from '../../../src/util/errors.ts';
import { anyWorkspace } from '../arbitraries.ts';
import {
  type MemoryRun,
  makeExperiment,
  makeRun,
  memoryRunReader,
  testOptions,
  type Workspace,
} from '../memory-workspace.ts';
import { viewOf } from './client-view.ts';
import { ALL, copyStore, copyTo, makeTree, memoryReader, openStore, readStore, treeOf } from './store.ts';

let dir: string;
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'filestore-writer-'));
});
afterAll(() => rm(dir, { recursive: true, force: true }));

let count = 0;
const newRoot = () => {
  count += 1;
  return join(dir, `w${count}`, 'mlruns');
};

const A = 'a'.repeat(32);
const B = 'b'.repeat(32);
const C = 'c'.repeat(32);

const workspace = (runs: readonly MemoryRun[], experiment: Partial<Experiment> = {}): Workspace => [
  { experiment: makeExperiment(experiment), runs },
];
/** The run of an id as it stands in a store, without mlferry's marks. */
const readRun = async (root: string, id: string) => {
  const { workspace: read } = await readStore(root);
  const found = read.flatMap(({ runs }) => runs).find(({ run }) => run.run_id === id);
  const tags = Object.entries(found?.run.tags ?? {}).filter(
    ([key]) => ![ORIGIN_TAG, DIGEST_TAG, FILES_TAG, COPY_TAG].includes(key),
  );
  return {
    run: { ...found?.run, tags: Object.fromEntries(tags) },
    metrics: found?.metrics,
    artifacts: found?.artifacts,
  };
};
const lossCodes = (losses: readonly { code: string; key?: string }[]) =>
  losses.map(({ code, key }) => `${code} ${key}`).sort();

const full = (fields: Partial<Run> = {}, points = 3) =>
  makeRun(
    {
      run_id: A,
      params: { lr: '0.1', 'a/b': 'x\r\ny' },
      tags: { t: 'é', __proto__: 'own' },
      dataset_inputs: [
        {
          dataset: { name: 'd', digest: '1234e567', source_type: 'local', source: '{}', schema: 's' },
          tags: { yes: 'no' },
        },
      ],
      ...fields,
    },
    [
      ['loss', Array.from({ length: points }, (_, n) => [n, n, n / 3])],
      [
        'val/loss',
        [
          [0, 0, 'NaN'],
          [0, 0, 'NaN'],
          [-1, '9007199254740993', '-Infinity'],
          [1, 1, -0],
        ],
      ],
    ],
    [
      ['empty', Buffer.alloc(0)],
      ['model/data.bin', Buffer.alloc(100_000, 'x')],
    ],
  );

describe('a new store', () => {
  it('gets everything of a run, and the experiment 0 that MLflow wants', async () => {
    const root = newRoot();
    const run = await full();
    const { report } = await copyTo(
      memoryReader(
        workspace([run], { tags: { 'mlflow.note.content': 'n' }, last_update_time: 1_700_000_000_001 }),
      ),
      root,
    );
    expect(report).toMatchObject({
      failures: [],
      losses: [],
      exit_status: 0,
      sent: { points: 7, artifacts: 2, artifact_bytes: 100_000 },
    });
    expect(await readRun(root, A)).toEqual({
      run: { ...run.run, artifact_uri: `file://${root}/1/${A}/artifacts` },
      metrics: run.metrics,
      artifacts: run.artifacts,
    });
    const { workspace: read } = await readStore(root);
    expect(read.map(({ experiment: { experiment_id, name } }) => `${experiment_id} ${name}`)).toEqual([
      '1 an experiment',
      '0 Default',
    ]);
    expect(read[0]?.experiment).toMatchObject({
      creation_time: 1_700_000_000_000,
      last_update_time: 1_700_000_000_001,
      tags: { 'mlflow.note.content': 'n' },
    });
    expect((await readdir(root)).sort()).toEqual(['.trash', '0', '1']);
  });

  it('is not made in a dry run, which tells the same figures', async () => {
    const root = newRoot();
    const source = workspace([await full(), await full({ run_id: B, params: { 'bad\u0300key': '1' } })]);
    const dry = await copyTo(memoryReader(source), root, { dryRun: true });
    await expect(readdir(root)).rejects.toMatchObject({ code: 'ENOENT' });
    const real = await copyTo(memoryReader(source), root);
    expect(dry.report).toMatchObject({
      runs: real.report.runs,
      sent: real.report.sent,
      losses: real.report.losses,
      experiments: real.report.experiments,
    });
    expect(new Map(dry.ids.of('run'))).toEqual(new Map(real.ids.of('run')));
  });

  it('keeps the source’s Default as experiment 0, with its times', async () => {
    const root = newRoot();
    await copyTo(
      memoryReader(workspace([], { experiment_id: '77', name: 'Default', creation_time: 5 })),
      root,
    );
    const { workspace: read } = await readStore(root);
    expect(read.map(({ experiment }) => [experiment.experiment_id, experiment.creation_time])).toEqual([
      ['0', 5],
    ]);
  });

  it('is refused in a directory of other files, and in the source itself', async () => {
    const root = newRoot();
    await makeTree(root, { 'main.py': '' });
    const { options } = testOptions(dir);
    await expect(openFileStoreWriter({ path: root }, options)).rejects.toMatchObject({
      code: 'LOCATION',
    });
    const store = newRoot();
    await copyTo(memoryReader(workspace([])), store);
    await expect(copyStore(store, store)).rejects.toMatchObject({ code: 'CONFLICT' });
  });
});

describe('a second copy', () => {
  it('of the same source changes nothing', async () => {
    const root = newRoot();
    const source = workspace([await full(), await full({ run_id: B, status: 'RUNNING', end_time: null })]);
    await copyTo(memoryReader(source), root);
    const before = await treeOf(root);
    const { report } = await copyTo(memoryReader(source), root);
    expect(report.runs).toMatchObject({ created: 0, updated: 0, unchanged: 2 });
    expect(await treeOf(root)).toEqual(before);
  });

  it('of a source that grew sends only the growth', async () => {
    const root = newRoot();
    await copyTo(memoryReader(workspace([await full({ status: 'RUNNING', end_time: null }, 1500)])), root);
    const { latest_metrics: _, ...fields } = (await full()).run;
    const grown = await makeRun(
      {
        ...fields,
        params: { lr: '0.1', 'a/b': 'x\r\ny', more: '2' },
        tags: { t: 'changed', new: '1' },
        run_name: 'renamed',
      },
      [
        ['loss', Array.from({ length: 1700 }, (_, n) => [n, n, n / 3])],
        ['new', [[0, 0, 1]]],
        [
          'val/loss',
          [
            [-2, 5, 1],
            [0, 0, 'NaN'],
            [0, 0, 'NaN'],
            [-1, '9007199254740993', '-Infinity'],
            [1, 1, -0],
            [0, 0, 'NaN'],
          ],
        ],
      ],
      [
        ['empty', Buffer.from('no longer')],
        ['model/data.bin', Buffer.alloc(100_000, 'x')],
        ['z', Buffer.from('new')],
      ],
    );
    const source = memoryReader(workspace([grown]));
    const dry = await copyTo(source, root, { dryRun: true });
    const { report } = await copyTo(source, root);
    expect(report.runs).toMatchObject({ created: 0, updated: 1 });
    expect(report.sent).toEqual({ points: 200 + 1 + 2, artifacts: 2, artifact_bytes: 12 });
    expect(dry.report).toMatchObject({ runs: report.runs, sent: report.sent });
    const read = await readRun(root, A);
    expect(read.run).toMatchObject({
      ...grown.run,
      artifact_uri: expect.anything(),
      tags: { t: 'changed', new: '1', __proto__: 'own' },
    });
    expect(read.artifacts).toEqual(grown.artifacts);
    expect(read.metrics?.[0]).toEqual(grown.metrics[0]);
    expect(read.metrics?.[2]?.[1]).toHaveLength(6);
    const again = await copyTo(source, root);
    expect(again.report.runs).toMatchObject({ unchanged: 1 });
  });

  it('keeps a param that has another value on the target, and what the target has besides', async () => {
    const root = newRoot();
    await copyTo(memoryReader(workspace([await full()])), root);
    await writeFile(join(root, '1', A, 'params', 'lr'), 'edited');
    await writeFile(join(root, '1', A, 'tags', 'own'), 'added here');
    await appendFile(join(root, '1', A, 'metrics', 'loss'), '9 9.0 9\n');
    const { report } = await copyTo(memoryReader(workspace([await full({ tags: { t: 'new' } })])), root);
    expect(lossCodes(report.losses)).toEqual(['VALUE_CONFLICT lr']);
    expect(report.sent.points).toBe(0);
    expect((await readRun(root, A)).run).toMatchObject({
      params: { lr: 'edited' },
      tags: { own: 'added here', t: 'new' },
    });
  });

  it('mends a metric line that a crash cut off', async () => {
    const root = newRoot();
    const run = await full({ status: 'RUNNING' });
    await copyTo(memoryReader(workspace([run])), root);
    const path = join(root, '1', A, 'metrics', 'loss');
    const whole = await readFile(path, 'utf8');
    await writeFile(path, whole.slice(0, -4));
    const { report } = await copyTo(memoryReader(workspace([run])), root);
    expect(report.sent.points).toBe(1);
    expect(await readFile(path, 'utf8')).toBe(whole);
  });

  it('leaves a copy deleted that was deleted on the target', async () => {
    const root = newRoot();
    await copyTo(memoryReader(workspace([await full()])), root);
    const meta = join(root, '1', A, 'meta.yaml');
    await writeFile(meta, (await readFile(meta, 'utf8')).replace('"active"', 'deleted'));
    const before = await treeOf(root);
    for (const source of [await full(), await full({ status: 'RUNNING' })]) {
      const { report } = await copyTo(memoryReader(workspace([source])), root);
      expect(report.runs).toMatchObject({ left: 1, updated: 0 });
    }
    expect(await treeOf(root)).toEqual(before);
  });
});

describe('ids', () => {
  it('that are taken or no run ids are replaced', async () => {
    const root = newRoot();
    await makeTree(root, {
      '1/meta.yaml': "artifact_location: x\nexperiment_id: '1'\nlifecycle_stage: active\nname: of another\n",
      [`.trash/5/${B}/meta.yaml`]: 'x: 1',
      [`1/${A}/meta.yaml`]: 'x: 1',
    });
    const source = workspace([
      await full(),
      await full({ run_id: B }),
      await full({ run_id: 'tags' }),
      await full({ run_id: 'no id!' }),
      await full({ run_id: C }),
    ]);
    const { report, ids } = await copyTo(memoryReader(source), root);
    expect(lossCodes(report.losses)).toEqual(Array(4).fill('RUN_ID_TAKEN undefined'));
    expect(ids.of('run').get(C)).toBe(C);
    for (const id of [A, B, 'tags', 'no id!']) expect(ids.of('run').get(id)).toMatch(/^[0-9a-f]{32}$/);
    expect(ids.of('experiment').get('1')).toMatch(/^\d{18}$/);
    const again = await copyTo(memoryReader(source), root);
    expect(again.report.runs).toMatchObject({ created: 0, unchanged: 5 });
    expect(new Map(again.ids.of('run'))).toEqual(new Map(ids.of('run')));
  });

  it('of parents are mapped, also of a parent that comes later or is in no selection', async () => {
    const root = newRoot();
    await makeTree(root, {
      [`7/${B}/params/x`]: 'takes the id',
      '7/meta.yaml': "experiment_id: '7'\nname: other\n",
    });
    const child = await full({ run_id: A, tags: { 'mlflow.parentRunId': B } });
    const stray = await full({ run_id: C, tags: { 'mlflow.parentRunId': 'unknown' } });
    const parent = await full({ run_id: B });
    const first = await copyTo(memoryReader(workspace([child, stray, parent])), root);
    const parentId = first.ids.of('run').get(B);
    expect((await readRun(root, A)).run.tags).toEqual({ 'mlflow.parentRunId': parentId });
    expect((await readRun(root, C)).run.tags).toEqual({ 'mlferry.origin_parent': 'unknown' });
    const before = await treeOf(root);
    const alone = await copyTo(memoryReader(workspace([child])), root);
    expect(alone.report.runs).toMatchObject({ unchanged: 1 });
    expect(await treeOf(root)).toEqual(before);
  });
});

describe('deleted', () => {
  const gone = async (): Promise<Workspace> => [
    {
      experiment: makeExperiment({ name: 'gone', lifecycle_stage: 'deleted', last_update_time: 42 }),
      runs: [
        await full({ lifecycle_stage: 'deleted', deleted_time: 41 }),
        await full({ run_id: B, lifecycle_stage: 'deleted' }),
        await full({ run_id: C }),
      ],
    },
  ];

  it('runs and experiments keep their times; the experiment stands in the trash', async () => {
    const root = newRoot();
    const { report } = await copyTo(memoryReader(await gone()), root);
    expect(report.failures).toEqual([]);
    expect(await readdir(join(root, '.trash'))).toEqual(['1']);
    const { workspace: read } = await readStore(root);
    const found = read.find(({ experiment }) => experiment.name === 'gone');
    expect(found?.experiment).toMatchObject({
      lifecycle_stage: 'deleted',
      last_update_time: 42,
      creation_time: 1_700_000_000_000,
    });
    expect(found?.runs.map(({ run }) => run.lifecycle_stage)).toEqual(['deleted', 'deleted', 'deleted']);
    expect(found?.runs[0]?.run.deleted_time).toBe(41);
    expect(found?.runs[0]?.artifacts).toHaveLength(2);
    const before = await treeOf(root);
    const again = await copyTo(memoryReader(await gone()), root);
    expect(again.report.runs).toMatchObject({ unchanged: 3, created: 0, updated: 0, left: 0 });
    expect(await treeOf(root)).toEqual(before);
  });

  it('later at the source is deleted on the target', async () => {
    const root = newRoot();
    await copyTo(memoryReader(workspace([await full()])), root);
    const { report } = await copyTo(
      memoryReader(workspace([await full({ lifecycle_stage: 'deleted', deleted_time: 7 })])),
      root,
    );
    expect(report).toMatchObject({ runs: { updated: 1 }, sent: { points: 0, artifacts: 0 } });
    expect((await readRun(root, A)).run).toMatchObject({ lifecycle_stage: 'deleted', deleted_time: 7 });
  });

  it('on the target: an experiment stays there, gets the runs, and it is told', async () => {
    const root = newRoot();
    await copyTo(memoryReader(workspace([await full()])), root);
    await rename(join(root, '1'), join(root, '.trash', '1'));
    const { report } = await copyTo(memoryReader(workspace([await full(), await full({ run_id: B })])), root);
    expect(report.runs).toMatchObject({ created: 1 });
    expect(report.losses.map(({ code }) => code)).toContain('LEFT_DELETED');
    expect((await readdir(join(root, '.trash', '1'))).sort()).toEqual([A, B, 'datasets', 'meta.yaml']);
  });
});

describe('what a store cannot hold', () => {
  it('is kept whole in the run’s artifact mlferry/oversize.json, and told', async () => {
    const root = newRoot();
    const wide = 'é'.repeat(200);
    const run = await makeRun(
      {
        run_id: A,
        start_time: null,
        params: { a: '1', 'a/b': '2', 'at@sign': '3', half: '\ud800' },
        tags: { ok: 'x'.repeat(100_000), '../up': 'no' },
        dataset_inputs: [
          { dataset: { name: 'd', digest: '1', source_type: 's', source: '{}' }, tags: {} },
          { dataset: { name: 'd', digest: '1', source_type: 's', source: '{}' }, tags: { other: '1' } },
        ],
      },
      [
        ['m', [[0, 0, 1]]],
        [
          'm/below',
          [
            [0, 0, 2],
            [1, 1, 'NaN'],
          ],
        ],
        [wide, Array.from({ length: 1500 }, (_, n) => [n, n, n])],
      ],
      [
        ['../escape', Buffer.from('1')],
        ['/abs', Buffer.from('1')],
        ['fine', Buffer.from('1')],
        ['fine/below', Buffer.from('1')],
        ['mlferry/oversize.json', Buffer.from('of the source')],
        [`${'ü'.repeat(128)}`, Buffer.from('1')],
      ],
    );
    const { report } = await copyTo(
      memoryReader(workspace([run], { tags: { 'bad@key': '1', good: '2' } })),
      root,
    );
    expect(report.failures).toEqual([]);
    expect(lossCodes(report.losses)).toEqual(
      [
        'ARTIFACT_NAME ../escape',
        'ARTIFACT_NAME /abs',
        'ARTIFACT_NAME fine/below',
        `ARTIFACT_NAME ${'ü'.repeat(128)}`,
        'DATASET_DIFFERS d',
        'KEY_NOT_ALLOWED ../up',
        'KEY_NOT_ALLOWED a/b',
        'KEY_NOT_ALLOWED at@sign',
        'KEY_NOT_ALLOWED bad@key',
        'KEY_NOT_ALLOWED m/below',
        `KEY_NOT_ALLOWED ${wide}`,
        'START_TIME_UNSET undefined',
        'VALUE_NOT_ALLOWED half',
      ].sort(),
    );
    expect(report.sent.points).toBe(1);
    const read = await readRun(root, A);
    expect(read.run).toMatchObject({ params: { a: '1' }, tags: { ok: 'x'.repeat(100_000) }, start_time: 0 });
    expect(read.artifacts?.map(([path]) => path)).toEqual([
      'fine',
      'mlferry/oversize.filestore.json',
      'mlferry/oversize.json',
    ]);
    const spilled: unknown = JSON.parse(read.artifacts?.[1]?.[1].toString() ?? '');
    expect(spilled).toEqual({
      metrics: {
        'm/below': [
          [0, 0, 2],
          [1, 1, 'NaN'],
        ],
        [wide]: Array.from({ length: 1500 }, (_, n) => [n, n, n]),
      },
      params: { 'a/b': '2', 'at@sign': '3', half: '\ud800' },
      tags: { '../up': 'no' },
      dataset_inputs: [
        { dataset: { name: 'd', digest: '1', source_type: 's', source: '{}' }, tags: { other: '1' } },
      ],
    });
    const before = await treeOf(root);
    const running = { ...run, run: { ...run.run, status: 'RUNNING' as const } };
    await copyTo(memoryReader(workspace([running])), root);
    const third = await copyTo(memoryReader(workspace([running])), root);
    expect(third.report.runs).toMatchObject({ unchanged: 1 });
    const changed = Object.keys(await treeOf(root)).filter(
      (path) => !path.endsWith('meta.yaml') && !path.endsWith(DIGEST_TAG),
    );
    expect(changed).toEqual(
      Object.keys(before).filter((path) => !path.endsWith('meta.yaml') && !path.endsWith(DIGEST_TAG)),
    );
  });
});

describe('errors', () => {
  it('of one run leave nothing of it, and the others are written', async () => {
    const root = newRoot();
    const { options } = testOptions(dir);
    const writer = await openFileStoreWriter({ path: root }, options);
    const experiment = await writer.experiment(makeExperiment(), 'e');
    const broken = memoryRunReader(await full());
    const target = (run: Run) => ({ experiment, origin: `f/${run.run_id}`, digest: 'd', remap: () => run });
    const failing = {
      ...broken,
      async *metrics() {
        yield* broken.metrics();
        throw new MlferryError('SOURCE_ITEM', 'the source broke');
      },
    };
    await expect(writer.run(failing, target(broken.run))).rejects.toMatchObject({ code: 'SOURCE_ITEM' });
    expect(await readdir(join(root, '1'))).not.toContain(A);
    const good = await full({ run_id: B });
    expect(await writer.run(memoryRunReader(good), target(good.run))).toMatchObject({
      outcome: 'created',
      run_id: B,
    });
    await writer.finish();
    expect((await readdir(root)).sort()).toEqual(['.trash', '0', '1']);
    expect(
      (await readStore(root)).workspace.flatMap(({ runs }) => runs.map(({ run }) => run.run_id)),
    ).toEqual([B]);
  });

  it('of one file cost that file: the run is there without its digest, and completed later', async () => {
    const root = newRoot();
    const { options, failures } = testOptions(dir);
    const writer = await openFileStoreWriter({ path: root }, options);
    const experiment = await writer.experiment(makeExperiment(), 'e');
    const whole = memoryRunReader(await full());
    const target = { experiment, origin: `f/${A}`, digest: 'd', remap: () => whole.run };
    const empty = await whole.open({ path: 'empty' });
    const short = { ...whole, open: async () => empty };
    expect(await writer.run(short, target)).toMatchObject({ outcome: 'created', incomplete: true });
    expect(failures).toContainEqual(
      expect.objectContaining({
        code: 'SHORT_BODY',
        run_id: A,
        object: expect.stringContaining('artifact "'),
      }),
    );
    const tags = join(root, '1', A, 'tags');
    expect(await readdir(tags)).not.toContain('mlferry.digest');
    const completed = await writer.run(whole, target);
    expect(completed).toMatchObject({ outcome: 'updated', points: 0 });
    expect(completed).not.toHaveProperty('incomplete');
    expect(await readdir(tags)).toContain('mlferry.digest');
    await writer.finish();
  });

  it('and crashes leave no rubbish: abort removes its own, the next writer that of dead processes', async () => {
    const root = newRoot();
    const { options } = testOptions(dir);
    const partial = join(root, '.mlferry-partial.trash');
    await mkdir(join(partial, '00000000-0000-0000-0000-000000000000', 'tags'), { recursive: true });
    const writer = await openFileStoreWriter({ path: root }, options);
    expect(await readdir(partial)).toEqual(['lock']);
    await writer.experiment(makeExperiment(), 'e');
    expect((await readdir(partial)).length).toBe(3);
    await writer.abort();
    // The store is not finished: who goes on gives it MLflow's experiment 0.
    expect(await readdir(partial)).toEqual(['new-store']);
    expect((await readdir(root)).sort()).toEqual(['.mlferry-partial.trash', '.trash', '1']);
    expect((await readStore(root)).failures).toEqual([]);
  });

  it('lets one process write at a time, and leaves no directory behind that it made for nothing', async () => {
    const root = newRoot();
    const { options } = testOptions(dir);
    const writer = await openFileStoreWriter({ path: root }, options);
    await expect(openFileStoreWriter({ path: root }, options)).rejects.toMatchObject({
      code: 'CONFLICT',
      message: expect.stringContaining(
        `${root} is being worked on by process ${process.pid} on ${hostname()}`,
      ),
    });
    await writer.abort();
    await expect(readdir(root)).rejects.toMatchObject({ code: 'ENOENT' });
    await (await openFileStoreWriter({ path: root }, options)).finish();
  });

  it('finish tells a run that is no longer there', async () => {
    const root = newRoot();
    const { options, failures } = testOptions(dir);
    const writer = await openFileStoreWriter({ path: root }, options);
    const experiment = await writer.experiment(makeExperiment(), 'e');
    const run = await full();
    await writer.run(memoryRunReader(run), { experiment, origin: 'f/x', digest: 'd', remap: () => run.run });
    await rm(join(root, '1', A), { recursive: true });
    await writer.finish();
    expect(failures).toMatchObject([{ code: 'MISMATCH', object: `run ${A}` }]);
  });
});

describe('a store of anything', () => {
  it('is copied to a second store and to a third alike, and nothing more the second time', async () => {
    await fc.assert(
      fc.asyncProperty(anyWorkspace, async (make) => {
        const [first, second] = [newRoot(), newRoot()];
        const distinct = (await make()).filter(
          ({ experiment }, index, all) =>
            all.findIndex((other) => other.experiment.name === experiment.name) === index &&
            experiment.name.isWellFormed() &&
            experiment.name !== 'Default',
        );
        fc.pre(distinct.length > 0);
        const made = await copyTo(memoryReader(distinct), first);
        expect(made.report.failures).toEqual([]);
        const { report } = await copyStore(first, second);
        expect(report.failures).toEqual([]);
        expect(report.losses.filter(({ code }) => code !== 'PARENT_NOT_COPIED')).toEqual([]);
        const [a, b] = [
          viewOf((await readStore(first)).workspace),
          viewOf((await readStore(second)).workspace),
        ];
        const unmarked = (view: typeof a) =>
          view.runs.map((run) => ({
            ...run,
            tags: Object.entries(run.tags).filter(([key]) => !key.startsWith('mlferry.')),
          }));
        // A dataset source that happened to be the run's artifact root is now that of its copy.
        const rootless = (view: typeof a, root: string) => toJson(unmarked(view)).replaceAll(root, 'ROOT');
        expect(rootless(b, second)).toEqual(rootless(a, first));
        expect(b.experiments).toEqual(a.experiments);
        const before = await treeOf(second);
        const again = await copyStore(first, second);
        expect(again.report.runs).toMatchObject({ created: 0, updated: 0 });
        expect(await treeOf(second)).toEqual(before);
      }),
      { numRuns: 40 },
    );
  });
});

it('a run that is deleted meanwhile is not found by its origin', async () => {
  const root = newRoot();
  await copyTo(memoryReader(workspace([await full()])), root);
  const { reader } = await openStore(root);
  const { options } = testOptions(dir, { selection: ALL });
  const writer = await openFileStoreWriter({ path: root }, options);
  expect(await writer.findRuns?.([A, B])).toEqual(new Map([[A, A]]));
  await reader.close();
});
