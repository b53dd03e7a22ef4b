import fc from 'fast-check';
import { z } from 'zod';
import {
  CONTEXTS,
  DATASET_NAMES,
  DIGESTS,
  KEYS,
  METRIC_VALUES,
  STATUSES,
  TEXTS,
  TIMES,
  USERS,
} from './workspace-values.ts';

const pick = <T>(values: readonly T[]) => fc.constantFrom(...values);
const some = <T>(values: readonly T[], max: number) => fc.subarray([...values], { maxLength: max });

const points = fc.array(
  fc.record({
    key: pick(KEYS),
    value: pick(METRIC_VALUES),
    timestamp: pick(TIMES),
    step: fc.integer({ min: -2, max: 3 }),
  }),
  { maxLength: 14 },
);
const entries = fc
  .tuple(some(KEYS, 6), fc.array(pick(TEXTS), { minLength: 6, maxLength: 6 }))
  .map(([keys, values]) => keys.map((key, index) => ({ key, value: values[index] ?? '' })));
const inputs = fc.array(
  fc.record({
    dataset: fc.record({
      name: pick(DATASET_NAMES),
      digest: pick(DIGESTS),
      source_type: fc.constant('local'),
      source: fc.constant('s'),
    }),
    tags: fc
      .option(pick(CONTEXTS))
      .map((context) => (context === null ? [] : [{ key: 'mlflow.data.context', value: context }])),
  }),
  { maxLength: 3 },
);
const runs = fc.record({
  name: fc.option(pick(TEXTS.filter((text) => text !== ''))),
  namelessTag: fc.nat(9).map((n) => n === 0),
  user_id: pick(USERS),
  status: pick(STATUSES),
  start_time: pick(TIMES),
  // REST never tells an end time of 0.
  end_time: fc.option(pick(TIMES.filter((time) => time !== 0))),
  isDeleted: fc.nat(7).map((n) => n === 0),
  points,
  params: entries,
  tags: entries,
  inputs,
});
const experiments = fc.record({ tags: entries, runs: fc.array(runs, { minLength: 16, maxLength: 16 }) });

const created = z.object({ experiment_id: z.string() });
const createdRun = z.object({ run: z.object({ info: z.object({ run_id: z.string() }) }) });

/** POSTs to MLflow's REST interface; throws when the server refuses. */
export async function post(url: string, path: string, body: unknown): Promise<unknown> {
  const answer = await fetch(`${url}/api/2.0/mlflow/${path}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });
  if (!answer.ok) throw new Error(`${path}: ${answer.status} ${await answer.text()}`);
  return answer.json();
}

/** Fills a server with experiments and runs whose every field is hostile to a search; returns the experiment ids. */
export async function makeSearchWorkspace(url: string, seed: number): Promise<string[]> {
  const names = ['exp one', 'Exp One', 'exp%_x'];
  const ids: string[] = [];
  for (const [index, { tags, runs }] of fc.sample(experiments, { seed, numRuns: names.length }).entries()) {
    const { experiment_id } = created.parse(
      await post(url, 'experiments/create', { name: names[index], tags }),
    );
    ids.push(experiment_id);
    for (const run of runs) await makeRun(url, experiment_id, run);
  }
  return ids;
}

type GeneratedRun = typeof runs extends fc.Arbitrary<infer T> ? T : never;

async function makeRun(url: string, experiment_id: string, run: GeneratedRun): Promise<void> {
  const { user_id, start_time, status, end_time } = run;
  const name = run.name === null ? {} : { run_name: run.name };
  const answer = await post(url, 'runs/create', {
    experiment_id,
    user_id,
    start_time,
    ...name,
    tags: run.tags,
  });
  const run_id = createdRun.parse(answer).run.info.run_id;
  await post(url, 'runs/log-batch', { run_id, params: run.params });
  // NaN points go alone: see MLflow issue 26108.
  const finite = run.points.filter(({ value }) => value !== 'NaN');
  await post(url, 'runs/log-batch', { run_id, metrics: finite });
  for (const point of run.points.filter(({ value }) => value === 'NaN')) {
    await post(url, 'runs/log-batch', { run_id, metrics: [point] });
  }
  if (run.inputs.length > 0) await post(url, 'runs/log-inputs', { run_id, datasets: run.inputs });
  await post(url, 'runs/update', { run_id, status, ...(end_time === null ? {} : { end_time }) });
  if (run.namelessTag) await post(url, 'runs/delete-tag', { run_id, key: 'mlflow.runName' });
  if (run.isDeleted) await post(url, 'runs/delete', { run_id });
}
