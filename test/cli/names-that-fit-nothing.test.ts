import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { mlferry } from './mlferry.ts';

const SAMPLES = 'samples/mlruns';

let directory = '';
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'mlferry-names-'));
});
afterEach(() => rm(directory, { recursive: true, force: true }));

describe('a name that fits nothing is told with the nearest one', () => {
  it.each([
    [['-e', 'wine-clasifier'], 3, 'did you mean "wine-classifier"'],
    [['-f', 'metrics.rmze < 1'], 3, 'did you mean "rmse"'],
    [['-f', "params.alpa = '1'"], 3, 'did you mean "alpha"'],
    [['-f', "status = 'FINISHD'"], 3, 'did you mean "FINISHED"'],
    [['-f', "status IN ('FINISHED', 'RUNING') AND metrics.rmse < 0"], 3, 'did you mean "RUNNING"'],
  ])('%j', async (selection, exit_status, told) => {
    for (const command of [
      ['copy', SAMPLES, join(directory, 'mlruns')],
      ['runs', 'list', SAMPLES],
    ]) {
      const { err, status } = await mlferry([...command, ...selection], directory);
      expect(err).toContain(told);
      expect(status).toBe(exit_status);
    }
  });

  it('--rename of no selected experiment ends before anything is written', async () => {
    const target = join(directory, 'mlruns');
    const { err, status } = await mlferry(
      ['copy', SAMPLES, target, '--rename', 'wine-clasifier=b'],
      directory,
    );
    expect(err).toContain('Did you mean "wine-classifier"?');
    expect(status).toBe(2);
    expect(existsSync(target)).toBe(false);
  });

  it('a filter of known words that fits no run is no failure', async () => {
    const { err, status } = await mlferry(['runs', 'list', SAMPLES, '-f', 'metrics.rmse < 0'], directory);
    expect(err).toBe('(0 runs)\n');
    expect(status).toBe(0);
  });
});

it('two experiments of one name are told, and kept apart by --rename with an id', async () => {
  const root = join(directory, 'source/mlruns');
  for (const id of ['1', '2']) {
    const run = join(root, id, `run${id}`);
    await mkdir(run, { recursive: true });
    await writeFile(
      join(root, id, 'meta.yaml'),
      `experiment_id: '${id}'\nlifecycle_stage: active\nname: same\n`,
    );
    await writeFile(
      join(run, 'meta.yaml'),
      `experiment_id: '${id}'\nlifecycle_stage: active\nrun_id: run${id}\nrun_name: ''\nuser_id: u\nstatus: 3\nstart_time: 1\nend_time: 2\nartifact_uri: x\n`,
    );
  }
  const merged = await mlferry(['copy', root, join(directory, 'a/mlruns'), '--json'], directory);
  expect(JSON.parse(merged.out)).toMatchObject({
    exit_status: 0,
    loss_counts: { EXPERIMENTS_MERGED: 1 },
    experiments: { read: 2, created: 1 },
  });
  const apart = await mlferry(
    ['copy', root, join(directory, 'b/mlruns'), '--rename', '2=other', '--json'],
    directory,
  );
  expect(JSON.parse(apart.out)).toMatchObject({ losses: [], experiments: { read: 2, created: 2 } });
  expect(await readFile(join(directory, 'b/mlruns/2/meta.yaml'), 'utf8')).toContain('other');
});
