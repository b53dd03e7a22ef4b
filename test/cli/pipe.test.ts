import { spawnSync } from 'node:child_process';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { CLI } from '../acceptance/run-mlferry.ts';

it('export … - | head ends quietly, with the status of a closed pipe', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'mlferry-pipe-'));
  const run = join(directory, 'mlruns/1/ab');
  await mkdir(join(run, 'metrics'), { recursive: true });
  await writeFile(join(run, '../meta.yaml'), "experiment_id: '1'\nlifecycle_stage: active\nname: e\n");
  await writeFile(
    join(run, 'meta.yaml'),
    "experiment_id: '1'\nlifecycle_stage: active\nrun_id: ab\nstatus: 3\nstart_time: 1\nend_time: 2\nartifact_uri: x\nrun_name: r\nuser_id: u\n",
  );
  // More than any pipe holds.
  const lines = Array.from({ length: 100_000 }, (_, step) => `${step} ${step / 7} ${step}\n`).join('');
  await writeFile(join(run, 'metrics/loss'), lines);
  const script = `"$0" "$1" export "$2" - | head -1; echo "\${PIPESTATUS[@]}"`;
  const { stdout, stderr } = spawnSync(
    'bash',
    ['-c', script, process.execPath, CLI, join(directory, 'mlruns')],
    { encoding: 'utf8', env: { ...process.env, XDG_STATE_HOME: directory } },
  );
  const [head = '', statuses] = stdout.trim().split('\n');
  expect(JSON.parse(head)).toMatchObject({ kind: 'header' });
  expect(statuses).toBe('141 0');
  expect(stderr).toBe('');
  await rm(directory, { recursive: true });
});
