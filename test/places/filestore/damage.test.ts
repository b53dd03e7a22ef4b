import { mkdtemp, rm, symlink, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { copyBetween } from '../../../src/copy/copy-between.ts';
import { verify } from '../../../src/verify/verify.ts';
import { makeTree } from './store.ts';

let directory: string;
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'mlferry-damage-'));
});
afterAll(() => rm(directory, { recursive: true, force: true }));

const RUN = '1'.repeat(32);
const MODEL = `m-${'2'.repeat(32)}`;
const GIVEN = {
  '1/meta.yaml': 'artifact_location: ""\nexperiment_id: "1"\nlifecycle_stage: active\nname: one\n',
  [`1/${RUN}/meta.yaml`]: `artifact_uri: ""\nexperiment_id: "1"\nlifecycle_stage: active\nrun_id: "${RUN}"\nrun_name: r\nstatus: 3\nstart_time: 1\nend_time: 2\nuser_id: u\n`,
  [`1/${RUN}/params/lr`]: '0.1',
  [`1/${RUN}/inputs/good/meta.yaml`]: 'source_type: DATASET\nsource_id: good\ntags: {}\n',
  '1/datasets/good/meta.yaml': 'name: good\ndigest: d\nsource_type: local\nsource: s\n',
  [`1/models/${MODEL}/meta.yaml`]: `model_id: ${MODEL}\nexperiment_id: '1'\nname: model\nartifact_location: ''\ncreation_timestamp: 1\nlast_updated_timestamp: 1\nstatus: 2\nlifecycle_stage: active\nsource_run_id: ${RUN}\n`,
  [`1/models/${MODEL}/params/depth`]: '3',
  '1/traces/tr-1/trace_info.yaml':
    "execution_duration_ms: 5\nrequest_time: '2026-01-01T00:00:00.001Z'\nstate: OK\ntrace_id: tr-1\ntrace_location:\n  mlflow_experiment:\n    experiment_id: '1'\n  type: MLFLOW_EXPERIMENT\n",
  '1/traces/tr-1/artifacts/traces.json': '{"spans": []}',
  'models/m/meta.yaml': 'creation_timestamp: 4\nlast_updated_timestamp: 6\nname: m\n',
  'models/m/version-1/meta.yaml': `creation_timestamp: 5\ncurrent_stage: None\nname: m\nrun_id: null\nsource: runs:/${RUN}/model\nstatus: READY\nversion: 1\n`,
};

/** What is damaged, and how it reads when it is mended. */
const MENDED = {
  [`1/${RUN}/params/big`]: 'small',
  [`1/${RUN}/inputs/torn/meta.yaml`]: 'source_type: DATASET\nsource_id: torn\ntags: {}\n',
  [`1/${RUN}/inputs/of torn dataset/meta.yaml`]: 'source_type: DATASET\nsource_id: other\ntags: {}\n',
  '1/datasets/torn/meta.yaml': 'name: torn\ndigest: d\nsource_type: local\nsource: s\n',
  '1/datasets/other/meta.yaml': 'name: other\ndigest: d\nsource_type: local\nsource: s\n',
  [`1/${RUN}/outputs/${MODEL}/meta.yaml`]: `source_id: ${MODEL}\nstep: '3'\n`,
  [`1/models/${MODEL}/metrics/auc`]: `5 0.5 0 ${RUN}\n6 0.6 1 ${RUN}\n`,
  '1/traces/tr-1/assessments/a-1.yaml':
    "assessment_id: a-1\nassessment_name: n\ncreate_time: '2026-01-01T00:00:00Z'\nfeedback:\n  value: true\nlast_update_time: '2026-01-01T00:00:00Z'\nsource:\n  source_id: me\n  source_type: HUMAN\nvalid: true\n",
  'models/m/aliases/champion': '1',
};
const DAMAGED = {
  ...MENDED,
  [`1/${RUN}/inputs/torn/meta.yaml`]: '{',
  '1/datasets/other/meta.yaml': 'name: 5\n',
  [`1/${RUN}/outputs/${MODEL}/meta.yaml`]: 'step: x\n',
  [`1/models/${MODEL}/metrics/auc`]: `5 0.5 0 ${RUN}\n6 0,6 1 ${RUN}\n`,
  '1/traces/tr-1/assessments/a-1.yaml': 'assessment_id: 7\n',
};

it('whatever is broken costs itself alone, is listed by file, and comes once it is mended', async () => {
  const root = join(directory, 'mlruns');
  const { 'models/m/aliases/champion': alias, ...files } = DAMAGED;
  await makeTree(root, { ...GIVEN, ...files });
  await truncate(join(root, `1/${RUN}/params/big`), 65 * 2 ** 20);
  await makeTree(root, { 'models/m/aliases/.keep': '' });
  await writeFile(join(directory, 'elsewhere'), alias);
  await symlink(join(directory, 'elsewhere'), join(root, 'models/m/aliases/champion'));

  const target = join(directory, 'copy');
  const { report } = await copyBetween(root, target);
  const told = report.failures.map(({ code, message }) => [
    code,
    message.replace(`${root}/`, '').split(/[ ,]/)[0],
  ]);
  expect(told.sort()).toEqual(
    [
      `1/${RUN}/params/big`,
      `1/${RUN}/inputs/torn/meta.yaml`,
      '1/datasets/other/meta.yaml',
      `1/${RUN}/outputs/${MODEL}/meta.yaml`,
      `1/models/${MODEL}/metrics/auc`,
      '1/traces/tr-1/assessments/a-1.yaml',
      'models/m/aliases/champion',
    ]
      .map((path) => ['SOURCE_ITEM', path])
      .sort(),
  );
  expect(report).toMatchObject({
    exit_status: 3,
    runs: { created: 1 },
    objects: {
      logged_models: { created: 1 },
      registered_models: { created: 1 },
      model_versions: { created: 1 },
      traces: { created: 1 },
    },
  });

  const strict = await copyBetween(root, join(directory, 'strict'), { strict: true });
  expect(strict.report.runs).toMatchObject({ created: 0 });
  expect(Object.keys(strict.report.objects ?? {})).toEqual(['registered_models', 'model_versions']);

  await rm(join(root, 'models/m/aliases/champion'));
  for (const [path, content] of Object.entries(MENDED)) await writeFile(join(root, path), content);
  expect((await copyBetween(root, target)).report).toMatchObject({ exit_status: 0, failures: [] });
  expect(await verify(root, target)).toMatchObject({ exit_status: 0, items: [] });
});
