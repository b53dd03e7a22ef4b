import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { copyBetween } from '../../../src/copy/copy-between.ts';
import { verify } from '../../../src/verify/verify.ts';

let directory: string;
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'mlferry-traces-'));
});
afterAll(() => rm(directory, { recursive: true, force: true }));

const info = (id: string) =>
  `execution_duration_ms: 5\nrequest_preview: '7'\nrequest_time: '2026-01-01T00:00:00.001Z'\nstate: OK\ntrace_id: ${id}\ntrace_location:\n  mlflow_experiment:\n    experiment_id: '0'\n  type: MLFLOW_EXPERIMENT\n`;
const SPANS = JSON.stringify({
  spans: [
    { span_id: 'AAAAAAAAAAE=', name: 's', start_time_unix_nano: 1, end_time_unix_nano: 2, attributes: {} },
  ],
});
const OUTSIDE = 'secret of this machine';

it('traces of a directory that are damaged or lead outside cost only themselves', async () => {
  const root = join(directory, 'mlruns');
  const files = {
    'outside.json': OUTSIDE,
    'mlruns/0/meta.yaml': "artifact_location: x\nexperiment_id: '0'\nlifecycle_stage: active\nname: e\n",
    'mlruns/0/traces/good/trace_info.yaml': info('good'),
    'mlruns/0/traces/good/tags/a/b': 'x',
    'mlruns/0/traces/good/artifacts/traces.json': SPANS,
    'mlruns/0/traces/good/assessments/a-1.yaml':
      "assessment_id: a-1\nassessment_name: n\ncreate_time: '2026-01-01T00:00:00Z'\nfeedback:\n  value:\n    a: [1.0, '2', true, null]\nlast_update_time: '2026-01-01T00:00:00Z'\nsource:\n  source_id: me\n  source_type: HUMAN\nvalid: false\n",
    'mlruns/0/traces/older/trace_info.yaml':
      "execution_time_ms: 3\nexperiment_id: '0'\nrequest_id: older\nstatus: ERROR\ntimestamp_ms: 7\n",
    'mlruns/0/traces/no yaml/trace_info.yaml': '{',
    'mlruns/0/traces/other id/trace_info.yaml': info('good'),
    'mlruns/0/traces/no spans/trace_info.yaml': info('no spans'),
    'mlruns/0/traces/no spans/artifacts/traces.json': '{"spans": [{}]}',
    'mlruns/0/traces/linked/trace_info.yaml': info('linked'),
    'mlruns/0/traces/nothing/tags/a': 'x',
  };
  for (const [name, content] of Object.entries(files)) {
    await mkdir(dirname(join(directory, name)), { recursive: true });
    await writeFile(join(directory, name), content);
  }
  await mkdir(join(root, '0/traces/linked/artifacts'));
  await symlink(join(directory, 'outside.json'), join(root, '0/traces/linked/artifacts/traces.json'));

  const archive = join(directory, 'all.tar');
  const { report } = await copyBetween(root, archive);
  expect(report.objects).toMatchObject({ traces: { created: 3, failed: 1 } });
  const failed = report.failures.map(({ object, code }) => [
    code,
    /trace ([^"]*?)(?: of|$)/.exec(object)?.[1],
  ]);
  expect(failed.sort()).toEqual([
    ['SOURCE_ITEM', 'no spans'],
    ['SOURCE_ITEM', 'no yaml'],
    ['SOURCE_ITEM', 'nothing'],
    ['SOURCE_ITEM', 'other id'],
  ]);
  expect(report.losses.map(({ code, of }) => [code, of?.id]).sort()).toEqual([
    ['ARTIFACTS_NOT_CARRIED', 'linked'],
    ['ARTIFACT_MISSING', 'linked'],
    ['ARTIFACT_MISSING', 'older'],
  ]);
  expect(JSON.stringify(report)).not.toContain(OUTSIDE);

  const back = join(directory, 'back');
  const { report: restored } = await copyBetween(archive, back);
  expect(restored).toMatchObject({
    failures: [],
    loss_counts: { ARTIFACTS_NOT_CARRIED: 1, ARTIFACT_MISSING: 2, NOT_READ: failed.length },
  });
  expect(await verify(archive, back)).toMatchObject({ items: [], objects: { traces: { same: 3 } } });
});
