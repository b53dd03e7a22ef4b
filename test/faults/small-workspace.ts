import { z } from 'zod';
import { rest } from '../places/server/rest.ts';

const created = z.object({
  run: z.object({ info: z.object({ run_id: z.string(), artifact_uri: z.string() }) }),
});
const identified = z.object({ experiment_id: z.string() });

const BASE = 1_700_000_000_000;
const pairs = (map: Readonly<Record<string, string>>) =>
  Object.entries(map).map(([key, value]) => ({ key, value }));

/**
 * Fills an empty server with little, but something of everything a copy sends: two experiments, one deleted; a parent
 * that comes after its child, a reference to a later run in a tag, a deleted run, a dataset, NaN points, a history of
 * two batches, files in directories. `points`: length of the long history.
 */
export async function makeSmallWorkspace(url: string, points = 1100): Promise<void> {
  const { call } = rest(url);
  const experiment = async (name: string, tags: Readonly<Record<string, string>>) =>
    identified.parse(await call('experiments/create', { name, tags: pairs(tags) })).experiment_id;
  const run = async (
    experiment_id: string,
    run_name: string,
    start: number,
    tags: Readonly<Record<string, string>> = {},
  ) => {
    const body = { experiment_id, run_name, user_id: 'tester', start_time: BASE + start, tags: pairs(tags) };
    return created.parse(await call('runs/create', body)).run.info;
  };
  const log = (run_id: string, key: string, values: ReadonlyArray<number | 'NaN'>) =>
    call('runs/log-batch', {
      run_id,
      metrics: values.map((value, step) => ({ key, value, step, timestamp: BASE + step })),
    });
  const finish = (run_id: string, end: number, status = 'FINISHED') =>
    call('runs/update', { run_id, status, end_time: BASE + end });
  const file = async (artifact_uri: string, path: string, content: string) => {
    const root = artifact_uri.replace(/^mlflow-artifacts:\//, '');
    const target = `${url}/api/2.0/mlflow-artifacts/artifacts/${root}/${path}`;
    const answer = await fetch(target, { method: 'PUT', body: content });
    if (!answer.ok) throw new Error(`${target}: ${answer.status}`);
  };

  const main = await experiment('main', { owner: 'tester', purpose: 'faults' });
  const parent = await run(main, 'parent', 500);
  const child = await run(main, 'child', 100, {
    'mlflow.parentRunId': parent.run_id,
    model: `runs:/${parent.run_id}/model`,
  });
  await call('runs/log-batch', {
    run_id: parent.run_id,
    params: pairs({ lr: '0.1', depth: '3' }),
    tags: pairs({ stage: 'final' }),
  });
  for (let at = 0; at < points; at += 1000) {
    const metrics = Array.from({ length: Math.min(1000, points - at) }, (_, index) => {
      const step = at + index;
      return { key: 'loss', value: 1 / (step + 1), step, timestamp: BASE + step };
    });
    await call('runs/log-batch', { run_id: parent.run_id, metrics });
  }
  await log(parent.run_id, 'odd', [1, 'NaN', -2.5]);
  await file(parent.artifact_uri, 'model/MLmodel', 'flavors: {}\n');
  await file(parent.artifact_uri, 'model/weights.bin', 'w'.repeat(70_000));
  await file(parent.artifact_uri, 'notes.txt', 'notes');
  await finish(parent.run_id, 9000);

  await log(child.run_id, 'accuracy', [0.5, 0.75, 0.875]);
  await call('runs/log-inputs', {
    run_id: child.run_id,
    datasets: [
      {
        dataset: { name: 'train', digest: 'd1', source_type: 'local', source: 'train.csv' },
        tags: pairs({ 'mlflow.data.context': 'training' }),
      },
    ],
  });
  await finish(child.run_id, 800, 'FAILED');

  const dropped = await run(main, 'dropped', 300);
  await call('runs/log-batch', {
    run_id: dropped.run_id,
    params: pairs({ why: 'deleted' }),
    metrics: [{ key: 'loss', value: 3, step: 0, timestamp: BASE }],
  });
  await call('runs/delete', { run_id: dropped.run_id });

  const gone = await experiment('gone', {});
  const last = await run(gone, 'in a deleted experiment', 50);
  await log(last.run_id, 'loss', ['NaN', 'NaN']);
  await file(last.artifact_uri, 'empty', '');
  await call('experiments/delete', { experiment_id: gone });
}
