import { mkdir, mkdtemp, rm, symlink, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ALL_ACTIVE } from '../../../src/model/selection.ts';
import type { RunReader } from '../../../src/places/place.ts';
import { ALL, makeTree, openStore, readStore } from './store.ts';

let dir: string;
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'filestore-reader-'));
});
afterAll(() => rm(dir, { recursive: true, force: true }));

let count = 0;
const newRoot = () => {
  count += 1;
  return join(dir, `s${count}`, 'mlruns');
};

const experimentMeta = (id: string, name: string, more = '') =>
  `artifact_location: /gone/mlruns/${id}\nexperiment_id: '${id}'\nlifecycle_stage: active\nname: ${name}\n${more}`;
const runMeta = (id: string, experiment: string, more = '') =>
  `artifact_uri: /gone/mlruns/${experiment}/${id}/artifacts\nend_time: 20\nexperiment_id: '${experiment}'\nlifecycle_stage: active\nrun_id: ${id}\nrun_name: name of ${id}\nstart_time: 10\nstatus: 3\nuser_id: me\n${more}`;

const A = 'a'.repeat(32);
const B = 'b'.repeat(32);
const C = 'c'.repeat(32);

describe('the place', () => {
  it('is an mlruns directory or the directory that contains one', async () => {
    const root = newRoot();
    await makeTree(root, { '0/meta.yaml': experimentMeta('0', 'Default') });
    const { reader: own } = await openStore(root);
    const { reader: project } = await openStore(join(root, '..'));
    expect(project.info.fingerprint).toBe(own.info.fingerprint);
    expect(own.info.fingerprint).toMatch(/^[0-9a-f]{16}$/);
    const { workspace } = await readStore(join(root, '..'));
    expect(workspace.map(({ experiment }) => experiment.name)).toEqual(['Default']);
  });

  it('is refused in one line when it is neither', async () => {
    const root = newRoot();
    await makeTree(root, { 'src/main.py': '', '0/meta.yaml': experimentMeta('0', 'Default') });
    for (const path of [join(root, 'src'), join(root, 'missing'), join(root, '0')]) {
      await expect(openStore(path)).rejects.toMatchObject({
        code: 'LOCATION',
        message: expect.not.stringContaining('\n'),
      });
    }
  });
});

describe('old layouts', () => {
  it('of MLflow 0.x are read', async () => {
    const root = newRoot();
    await makeTree(root, {
      '0/meta.yaml': 'artifact_location: /gone/mlruns/0\nexperiment_id: 0\nname: Default\n',
      [`0/${A}/meta.yaml`]: `artifact_uri: /gone/mlruns/0/${A}/artifacts\nend_time: 1530000001000\nentry_point_name: main\nexperiment_id: 0\nname: old name\nrun_uuid: ${A}\nsource_name: train.py\nsource_type: 4\nsource_version: abc123\nstart_time: 1530000000000\nstatus: 3\ntags: []\nuser_id: me\n`,
      [`0/${A}/metrics/loss`]: '1530000000 0.5\n1530000001 0.25\n',
      [`0/${A}/params/lr`]: '0.1',
      [`0/${A}/artifacts/model/data.bin`]: 'bytes',
    });
    const { workspace, failures, losses } = await readStore(root);
    expect([failures, losses]).toEqual([[], []]);
    const [first] = workspace;
    expect(first?.experiment).toEqual({
      kind: 'experiment',
      experiment_id: '0',
      name: 'Default',
      artifact_location: '/gone/mlruns/0',
      lifecycle_stage: 'active',
      tags: {},
    });
    const run = first?.runs[0];
    expect(run?.run).toMatchObject({
      run_id: A,
      experiment_id: '0',
      run_name: 'old name',
      status: 'FINISHED',
      lifecycle_stage: 'active',
      start_time: 1530000000000,
      tags: {
        'mlflow.source.name': 'train.py',
        'mlflow.source.git.commit': 'abc123',
        'mlflow.project.entryPoint': 'main',
      },
      latest_metrics: { loss: [0, 1530000001, 0.25] },
    });
    expect(run?.metrics).toEqual([
      [
        'loss',
        [
          [0, 1530000000, 0.5],
          [0, 1530000001, 0.25],
        ],
      ],
    ]);
    expect(run?.artifacts).toEqual([['model/data.bin', Buffer.from('bytes')]]);
  });

  it('of MLflow 1.x are read: run_uuid, status as a word, name in a tag, float times', async () => {
    const root = newRoot();
    await makeTree(root, {
      '1/meta.yaml': experimentMeta('1', "'2020-01-01'", 'creation_time: 5\nlast_update_time: 6\ntags: {}\n'),
      '1/tags/mlflow.note.content': 'a\r\nb',
      [`1/${A}/meta.yaml`]: `artifact_uri: ./mlruns/1/${A}/artifacts\nend_time: null\nexperiment_id: '1'\nlifecycle_stage: active\nname: ''\nrun_uuid: ${A}\nstart_time: 1600000000000.75\nstatus: FAILED\nuser_id: me\n`,
      [`1/${A}/tags/mlflow.runName`]: 'from the tag',
      [`1/${A}/params/nested/key`]: 'x\r\n',
    });
    const { workspace, failures, losses } = await readStore(root);
    expect(failures).toEqual([]);
    expect(losses).toEqual([
      {
        code: 'TIMESTAMP_NOT_ALLOWED',
        key: 'start_time',
        detail: expect.any(String),
        experiment_name: '2020-01-01',
        run_id: A,
      },
    ]);
    expect(workspace[0]?.experiment).toMatchObject({
      name: '2020-01-01',
      creation_time: 5,
      last_update_time: 6,
      tags: { 'mlflow.note.content': 'a\r\nb' },
    });
    expect(workspace[0]?.runs[0]?.run).toMatchObject({
      run_name: 'from the tag',
      status: 'FAILED',
      end_time: null,
      start_time: 1600000000000,
      params: { 'nested/key': 'x\r\n' },
    });
  });
});

describe('order and selection', () => {
  const make = async () => {
    const root = newRoot();
    await makeTree(root, {
      '10/meta.yaml': experimentMeta('10', 'later', 'creation_time: 7\n'),
      '9/meta.yaml': experimentMeta('9', 'same time', 'creation_time: 5\n'),
      '11/meta.yaml': experimentMeta('11', 'same time too', 'creation_time: 5\n'),
      '.trash/12/meta.yaml': experimentMeta('12', 'gone', 'creation_time: 1\n'),
      'models/registered/meta.yaml': 'name: registered\n',
      [`9/${A}/meta.yaml`]: runMeta(A, '9'),
      [`9/${B}/meta.yaml`]: runMeta(B, '9').replace('start_time: 10', 'start_time: 9'),
      [`9/${C}/meta.yaml`]: runMeta(C, '9', 'deleted_time: 99\n').replace(
        'lifecycle_stage: active',
        'lifecycle_stage: deleted',
      ),
    });
    return root;
  };

  it('is creation time, then id; start time, then run id', async () => {
    const { workspace, failures } = await readStore(await make());
    expect(failures).toEqual([]);
    expect(workspace.map(({ experiment }) => experiment.experiment_id)).toEqual(['12', '9', '11', '10']);
    expect(workspace[0]?.experiment.lifecycle_stage).toBe('deleted');
    expect(workspace[1]?.runs.map(({ run }) => run.run_id)).toEqual([B, A, C]);
    expect(workspace[1]?.runs[2]?.run).toMatchObject({ lifecycle_stage: 'deleted', deleted_time: 99 });
  });

  it('tells how many deleted runs the active view leaves out', async () => {
    const { reader } = await openStore(await make());
    const hidden: number[] = [];
    for await (const experiment of reader.experiments(ALL_ACTIVE)) {
      hidden.push((await reader.hiddenRuns?.(experiment, ALL_ACTIVE)) ?? -1);
    }
    expect(hidden).toEqual([1, 0, 0]);
  });

  it('reports names and ids that match nothing, and those of the other stage', async () => {
    const root = await make();
    const { workspace, failures } = await readStore(root, {
      experiments: ['same*', 'gone', 'never'],
      runs: [A, C, 'nope', '../x'],
      view: 'active',
    });
    expect(workspace.map(({ runs }) => runs.map(({ run }) => run.run_id))).toEqual([[A], []]);
    expect(failures.map(({ code, message }) => `${code} ${message}`)).toEqual([
      'NOT_FOUND Experiment "gone" is deleted',
      `NOT_FOUND No experiment "never" in ${root}`,
      `NOT_FOUND Run "${C}" is deleted`,
      'NOT_FOUND No run "nope" in the selected experiments',
      'NOT_FOUND No run "../x" in the selected experiments',
    ]);
    const other = await readStore(root, { experiments: ['gone'], runs: [], view: 'all' });
    expect(other.failures).toEqual([]);
    expect(other.workspace).toHaveLength(1);
  });
});

describe('damage', () => {
  it('is reported, and reading goes on', async () => {
    const root = newRoot();
    await makeTree(root, {
      '0/meta.yaml': experimentMeta('0', 'good'),
      '1/tags/x': 'an experiment without meta.yaml',
      '2/meta.yaml': experimentMeta('3', 'another id'),
      '4/meta.yaml': 'a: [',
      [`0/${A}/meta.yaml`]: runMeta(A, '0'),
      [`0/${A}/metrics/empty`]: '',
      [`0/${A}/tags/binary`]: Buffer.from([0xff, 0xfe]),
      '0/no-meta/params/x': '1',
      '0/other-id/meta.yaml': runMeta(B, '0'),
      [`0/${B}/meta.yaml`]: runMeta(B, '7'),
      [`0/${C}/meta.yaml`]: runMeta(C, '0'),
      [`0/${C}/metrics/a/b`]: '1 1.0 0\nbroken\n',
      '0/bad-status/meta.yaml': runMeta('bad-status', '0').replace('status: 3', 'status: 9'),
      '0/.ipynb_checkpoints/x': '',
    });
    const { workspace, failures, losses } = await readStore(root);
    expect(workspace.map(({ runs }) => runs.map(({ run }) => run.run_id))).toEqual([[A, B, C]]);
    expect(workspace[0]?.runs.every(({ run }) => run.experiment_id === '0')).toBe(true);
    expect(failures.every(({ code }) => code === 'SOURCE_ITEM')).toBe(true);
    expect(
      failures.map(({ object, message }) => `${object}: ${message.replaceAll(root, '')}`).sort(),
    ).toEqual([
      'experiment "1": /1 has no meta.yaml',
      'experiment "2": /2/meta.yaml says experiment_id "3", but the directory is "2"',
      expect.stringMatching(/^experiment "4": \/4\/meta\.yaml is not valid YAML/),
      'run bad-status of experiment "good": /0/bad-status/meta.yaml: status "9" is not known',

      `run ${C} of experiment "good": /0/${C}/metrics/a/b, line 2 is not a metric value`,
      'run no-meta of experiment "good": /0/no-meta has no meta.yaml',
      `run other-id of experiment "good": /0/other-id/meta.yaml says run_id "${B}", but the directory is "other-id"`,
    ]);
    expect(losses.map(({ code, key }) => `${code} ${key}`).sort()).toEqual([
      'METRICS_NOT_CARRIED empty',
      'RUN_MOVED undefined',
      'VALUE_NOT_ALLOWED binary',
    ]);
  });

  it('of datasets and links to models is told', async () => {
    const root = newRoot();
    await makeTree(root, {
      '0/meta.yaml': experimentMeta('0', 'good'),
      '0/models/m-1/meta.yaml': 'x: 1\n',
      '0/datasets/d1/meta.yaml':
        "digest: 1234e567\nname: data\nprofile: null\nschema: null\nsource: '{}'\nsource_type: local\n",
      [`0/${A}/meta.yaml`]: runMeta(A, '0'),
      [`0/${A}/inputs/i1/meta.yaml`]:
        'destination_id: d1\ndestination_type: RUN\nsource_id: d1\nsource_type: DATASET\ntags:\n  mlflow.data.context: training\n',
      [`0/${A}/inputs/i2/meta.yaml`]:
        'destination_id: d2\ndestination_type: RUN\nsource_id: d2\nsource_type: DATASET\ntags: {}\n',
      [`0/${A}/inputs/i3/meta.yaml`]:
        'destination_id: m-1\ndestination_type: RUN\nsource_id: m-1\nsource_type: MODEL\ntags: {}\n',
      [`0/${A}/outputs/m-1/meta.yaml`]: 'source_id: m-1\nstep: 0\n',
      [`0/${A}/metrics/m`]: '1 1.0 5 my data set abc\n',
    });
    const { workspace, losses, failures } = await readStore(root);
    expect(failures).toEqual([]);
    expect(workspace[0]?.runs[0]?.run).toMatchObject({
      dataset_inputs: [
        {
          dataset: { name: 'data', digest: '1234e567', source_type: 'local', source: '{}' },
          tags: { 'mlflow.data.context': 'training' },
        },
      ],
      model_inputs: [{ model_id: 'm-1' }],
      model_outputs: [{ model_id: 'm-1', step: 0 }],
      latest_metrics: { m: [5, 1, 1] },
    });
    expect(losses.map(({ code, count }) => `${code} ${count ?? 1}`).sort()).toEqual([
      'DATASET_DIFFERS 1',
      'MODEL_LINKS 1',
    ]);
  });
});

describe('artifacts', () => {
  const only = async (root: string, selection = ALL): Promise<{ run: RunReader; losses: unknown[] }> => {
    const { reader, losses } = await openStore(root);
    for await (const experiment of reader.experiments(selection)) {
      for await (const run of reader.runs(experiment, selection)) return { run, losses };
    }
    throw new Error('no run');
  };
  const list = async (run: RunReader) => {
    const entries: string[] = [];
    for await (const { path, size } of run.artifacts()) entries.push(`${path} ${size}`);
    return entries;
  };

  it('are listed in order with their sizes; links that leave are not followed', async () => {
    const root = newRoot();
    await makeTree(root, {
      '0/meta.yaml': experimentMeta('0', 'e'),
      [`0/${A}/meta.yaml`]: runMeta(A, '0'),
      [`0/${A}/artifacts/a/x`]: '1',
      [`0/${A}/artifacts/a.txt`]: '22',
      [`0/${A}/artifacts/a b`]: '',
      [`0/${A}/artifacts/.hidden/#%41 ü`]: '4444',
      'secret/file': 'secret',
    });
    const artifacts = join(root, '0', A, 'artifacts');
    await symlink('a.txt', join(artifacts, 'link'));
    await symlink('a', join(artifacts, 'dirlink'));
    await symlink('.', join(artifacts, 'loop'));
    await symlink('../../../secret', join(artifacts, 'outside'));
    await symlink('nowhere', join(artifacts, 'broken'));
    await writeFile(Buffer.concat([Buffer.from(`${artifacts}/bad-`), Buffer.from([0xff])]), 'x');
    const { run, losses } = await only(root);
    expect(await list(run)).toEqual([
      '.hidden/#%41 ü 4',
      'a b 0',
      'a.txt 2',
      'a/x 1',
      'dirlink/x 1',
      'link 2',
    ]);
    await list(run);
    expect(losses).toMatchObject([
      { code: 'ARTIFACT_NAME' },
      { code: 'ARTIFACT_MISSING', key: 'broken' },
      { code: 'ARTIFACTS_NOT_CARRIED', key: 'loop' },
      { code: 'ARTIFACTS_NOT_CARRIED', key: 'outside' },
    ]);
    await expect(run.open({ path: 'outside/file' })).rejects.toMatchObject({ code: 'SOURCE_ITEM' });
    await expect(run.open({ path: 'missing' })).rejects.toMatchObject({ code: 'SOURCE_ITEM' });
  });

  it('that shrank or grew since they were listed fail', async () => {
    const root = newRoot();
    const path = join(root, '0', A, 'artifacts', 'f');
    await makeTree(root, {
      '0/meta.yaml': experimentMeta('0', 'e'),
      [`0/${A}/meta.yaml`]: runMeta(A, '0'),
      [`0/${A}/artifacts/f`]: 'x'.repeat(1000),
    });
    const { run } = await only(root);
    const drain = async () => {
      let bytes = 0;
      for await (const chunk of (await run.open({ path: 'f', size: 1000 })) ?? []) bytes += chunk.length;
      return bytes;
    };
    expect(await drain()).toBe(1000);
    await truncate(path, 500);
    await expect(drain()).rejects.toMatchObject({ code: 'SHORT_BODY' });
    await writeFile(path, 'x'.repeat(1001));
    await expect(drain()).rejects.toMatchObject({ code: 'SHORT_BODY' });
  });

  it('are read where they are recorded when that is this run’s directory, else beside meta.yaml', async () => {
    const root = newRoot();
    const elsewhere = join(dir, 'elsewhere', A, 'artifacts');
    await makeTree(elsewhere, { recorded: '1' });
    const withUri = async (uri: string) => {
      await makeTree(root, {
        '0/meta.yaml': experimentMeta('0', 'e'),
        [`0/${A}/meta.yaml`]: runMeta(A, '0').replace(/^artifact_uri: .*/m, `artifact_uri: ${uri}`),
        [`0/${A}/artifacts/beside`]: '22',
      });
      return list((await only(root)).run);
    };
    expect(await withUri(`file://${elsewhere}`)).toEqual(['recorded 1']);
    expect(await withUri(elsewhere)).toEqual(['recorded 1']);
    expect(await withUri(join(dir, 'elsewhere'))).toEqual(['beside 2']);
    expect(await withUri(`file:///gone/${A}/artifacts`)).toEqual(['beside 2']);
    expect(await withUri(`s3://bucket/0/${A}/artifacts`)).toEqual(['beside 2']);
    await makeTree(join(root, '..', 'mlartifacts', '0', A, 'artifacts'), { served: '333' });
    expect(await withUri(`mlflow-artifacts:/0/${A}/artifacts`)).toEqual(['served 3']);
  });

  /** A store of two runs whose artifact roots are recorded so; what their files are, and what was told. */
  const withRoot = async (base: string, more: Parameters<typeof openStore>[1] = {}, name = 'mlruns') => {
    const root = join(newRoot(), '..', name);
    const uri = (id: string) => `artifact_uri: ${base}/0/${id}/artifacts`;
    await makeTree(root, {
      '0/meta.yaml': experimentMeta('0', 'e'),
      [`0/${A}/meta.yaml`]: runMeta(A, '0').replace(/^artifact_uri: .*/m, uri(A)),
      [`0/${B}/meta.yaml`]: runMeta(B, '0').replace(/^artifact_uri: .*/m, uri(B)),
    });
    for (const id of [A, B]) await mkdir(join(root, '0', id, 'artifacts'));
    const read = async () => {
      const { reader, losses } = await openStore(root, more);
      const files: string[] = [];
      for await (const experiment of reader.experiments(ALL))
        for await (const run of reader.runs(experiment, ALL))
          for await (const { path } of run.artifacts()) files.push(`${run.run.run_id[0]} ${path}`);
      return { files, told: losses.map(({ code, detail }) => `${code} ${detail}`) };
    };
    return { root, read };
  };

  it.each([
    ['s3://bucket/x', 's3://bucket/x'],
    ['file:///data/store', '/data/store'],
    ['/data/store', '/data/store'],
    ['C:/Users/me/store', 'C:/Users/me/store'],
    ['file:///C:/Users/me/store', 'C:/Users/me/store'],
    ['C:\\Users\\me\\store', 'C:/Users/me/store'],
    ['mlflow-artifacts:', 'mlflow-artifacts:/'],
  ])('at %s, which is not on this machine, are told once', async (base, shown) => {
    const { read } = await withRoot(base);
    expect(await read()).toEqual({
      files: [],
      told: [
        `ARTIFACTS_UNREACHABLE The artifact root ${shown} is not on this machine: what runs and models have there is left out. --artifacts-root PATH says where it stands now`,
      ],
    });
  });

  it('are none where the root is here and has nothing of the run', async () => {
    const silent = { files: [], told: [] };
    const served = await withRoot('mlflow-artifacts:');
    await mkdir(join(served.root, '..', 'mlartifacts', '0'), { recursive: true });
    expect(await served.read()).toEqual(silent);
    const stands = join(dir, 'stands');
    await mkdir(join(stands, '0'), { recursive: true });
    expect(await (await withRoot(`file://${stands}`)).read()).toEqual(silent);
    // The store itself, where it was before.
    expect(await (await withRoot('file:///home/somebody/mlruns')).read()).toEqual(silent);
    const renamed = await withRoot('file:///home/somebody/mlruns', {}, 'renamed');
    expect((await renamed.read()).told).toHaveLength(1);
    await makeTree(renamed.root, { [`0/${B}/artifacts/f`]: '1' });
    expect(await renamed.read()).toEqual({ files: ['b f'], told: [] });
  });

  it('are found where the user says that the root stands now', async () => {
    const artifactsRoot = join(dir, 'now');
    await makeTree(artifactsRoot, { [`0/${A}/artifacts/x/f`]: '1' });
    for (const base of ['s3://bucket/x', 'file:///data/store', 'C:/Users/me/store', 'mlflow-artifacts:']) {
      const { read } = await withRoot(base, { artifactsRoot });
      expect(await read(), base).toEqual({ files: ['a x/f'], told: [] });
    }
    const { root } = await withRoot('s3://bucket/x');
    await expect(openStore(root, { artifactsRoot: join(dir, 'missing') })).rejects.toMatchObject({
      code: 'LOCATION',
    });
  });
});

it('a run whose meta.yaml cannot be read is a failure of its own', async () => {
  const root = newRoot();
  await makeTree(root, {
    '0/meta.yaml': experimentMeta('0', 'e'),
    [`0/${A}/meta.yaml`]: runMeta(A, '0'),
    [`0/${B}/meta.yaml/x`]: '',
  });
  const { workspace, failures } = await readStore(root);
  expect(workspace[0]?.runs).toHaveLength(1);
  expect(failures).toMatchObject([{ code: 'SOURCE_ITEM', object: `run ${B} of experiment "e"` }]);
});
