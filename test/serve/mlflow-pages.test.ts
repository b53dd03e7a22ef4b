import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { z } from 'zod';
import { type Served, servePlace } from './serve-place.ts';

const SAMPLES = fileURLToPath(new URL('../../samples/mlruns', import.meta.url));
const EXPERIMENT = '327069844578935833';

let directory: string;
let served: Served;
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'mlferry-pages-'));
  const build = join(directory, 'lib', 'python3.11', 'site-packages', 'mlflow', 'server', 'js', 'build');
  await mkdir(join(build, 'static'), { recursive: true });
  await writeFile(join(build, 'index.html'), '<title>pages</title>');
  await writeFile(join(build, 'static', 'main.js'), 'run()');
  await writeFile(join(directory, 'secret'), 'secret');
  await symlink(join(directory, 'secret'), join(build, 'static', 'link'));
  served = await servePlace(SAMPLES, { ui: directory });
});
afterAll(async () => {
  await served?.[Symbol.asyncDispose]();
  await rm(directory, { recursive: true, force: true });
});

it('serves the pages of an installed MLflow below /ui/, and what they ask', async () => {
  const first = await fetch(served.url);
  expect(first.url).toBe(`${served.url}/ui/`);
  expect(await first.text()).toBe('<title>pages</title>');
  expect(first.headers.get('content-type')).toBe('text/html; charset=utf-8');
  expect(first.headers.get('content-security-policy')).toMatch(/frame-ancestors 'none'/);
  const script = await fetch(`${served.url}/ui/static-files/static/main.js`);
  expect([await script.text(), script.headers.get('content-type')]).toEqual([
    'run()',
    'text/javascript; charset=utf-8',
  ]);
  const asked = await fetch(
    `${served.url}/ui/ajax-api/2.0/mlflow/experiments/get?experiment_id=${EXPERIMENT}`,
  );
  expect(asked.status).toBe(200);
});

it.each([
  '/ui/index.html',
  '/ui/static-files/static/link',
  '/ui/static-files/..%2f..%2f..%2f..%2f..%2fsecret',
  '/ui/secret',
])('gives nothing else: %s', async (path) => {
  expect((await fetch(`${served.url}${path}`)).status).toBe(404);
});

const graphqlAnswer = z.object({ data: z.unknown(), errors: z.array(z.string()).nullable() });
const ask = async (query: string, data: object) => {
  const answer = await fetch(`${served.url}/ui/graphql`, {
    method: 'POST',
    body: JSON.stringify({ query, variables: { data } }),
  });
  return graphqlAnswer.parse(await answer.json());
};

it('answers the queries of the pages', async () => {
  const runs = await ask(
    `query SearchRuns($data: MlflowSearchRunsInput!) {
      mlflowSearchRuns(input: $data) {
        runs { __typename info { runUuid startTime } experiment { name tags { key } } data { metrics { key value step } } modelVersions { name } }
      }
    }`,
    { experimentIds: [EXPERIMENT], filter: 'metrics.rmse > 0', maxResults: 1 },
  );
  expect(runs).toMatchObject({
    errors: null,
    data: {
      mlflowSearchRuns: {
        runs: [
          {
            __typename: 'MlflowRun',
            info: { startTime: expect.stringMatching(/^\d{13}$/) },
            experiment: { name: 'diabetes-elasticnet' },
            data: {
              metrics: expect.arrayContaining([{ key: 'rmse', value: expect.any(Number), step: '0' }]),
            },
            modelVersions: [],
          },
        ],
      },
    },
  });
  const wrong = await ask(
    'query GetRun($data: MlflowGetRunInput!) { mlflowGetRun(input: $data) { run { info { runId } } apiError { code } } }',
    { runId: 'none' },
  );
  expect(wrong.data).toEqual({ mlflowGetRun: { run: null, apiError: { code: 'RESOURCE_DOES_NOT_EXIST' } } });
  expect((await ask('{ nothing }', {})).errors).toHaveLength(1);
});

it('says where there are no pages', async () => {
  await using served = await servePlace(SAMPLES);
  const first = await fetch(served.url);
  expect(first.status).toBe(200);
  expect(await first.text()).toContain('MLFLOW_TRACKING_URI');
  await expect(servePlace(SAMPLES, { ui: join(directory, 'lib') })).rejects.toMatchObject({
    code: 'LOCATION',
  });
});
