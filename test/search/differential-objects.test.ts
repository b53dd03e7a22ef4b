import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import type { ObjectRecord } from '../../src/kinds/kind.ts';
import type { Experiment } from '../../src/model/records.ts';
import { ALL_ACTIVE } from '../../src/model/selection.ts';
import { openReader } from '../../src/places/open.ts';
import { evaluateObject } from '../../src/search/evaluate-object.ts';
import type { SearchKind } from '../../src/search/expression.ts';
import { parseSearch } from '../../src/search/parse-search.ts';
import { pushModelFilter, pushTraceFilter } from '../../src/search/push-objects.ts';
import { mapConcurrent } from '../../src/util/map-concurrent.ts';
import { testOptions } from '../places/memory-workspace.ts';
import { sharedServer } from '../servers/shared-server.ts';

/**
 * What a real MLflow server answers to generated expressions over traces, logged models, registered models and versions, and what
 * their records answer here: the same objects, one by one.
 */

const isLong = process.env.MLFERRY_TEST_LONG === '1';
const EXPRESSIONS = isLong ? 2000 : 60;
const pick = <T>(...values: readonly T[]) => fc.constantFrom(...values);

/** Tags of the objects: the values of a few keys, some missing. */
const COLORS = ['red', 'Red', 'dark red', 'r_d', '', 'blé'];
const colorOf = (at: number) => COLORS[at % (COLORS.length + 1)];
const tagsOf = (at: number): Record<string, string> => {
  const color = colorOf(at);
  return { ...(color === undefined ? {} : { color }), 'my key': String(at % 3), 'a.b': String(at % 2) };
};
const list = (map: Readonly<Record<string, string>>) =>
  Object.entries(map).map(([key, value]) => ({ key, value }));

const server = sharedServer();
let url: string;
let directory: string;
let experiment_id: string;
const records = new Map<SearchKind, ObjectRecord[]>();

async function call(route: string, body: object, method = 'POST'): Promise<unknown> {
  const answer = await fetch(`${url}/api/${route}`, {
    method,
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });
  const text = await answer.text();
  if (!answer.ok) throw new Error(`${route}: ${answer.status} ${text.slice(0, 500)}`);
  return JSON.parse(text);
}

const STATES = ['OK', 'ERROR', 'IN_PROGRESS'];

beforeAll(async () => {
  ({ url } = await server());
  directory = await mkdtemp(join(tmpdir(), 'mlferry-objects-'));
  const made = await call('2.0/mlflow/experiments/create', { name: 'searched' });
  experiment_id = z.object({ experiment_id: z.string() }).parse(made).experiment_id;
  const run = await call('2.0/mlflow/runs/create', { experiment_id });
  const run_id = z.object({ run: z.object({ info: z.object({ run_id: z.string() }) }) }).parse(run).run
    .info.run_id;
  for (let at = 0; at < 24; at++) {
    await call('3.0/mlflow/traces', {
      trace: {
        trace_info: {
          trace_id: `tr-${at}`,
          trace_location: { type: 'MLFLOW_EXPERIMENT', mlflow_experiment: { experiment_id } },
          request_time: `2024-05-01T00:00:${String(at).padStart(2, '0')}Z`,
          ...(at % 4 === 0 ? {} : { execution_duration: `${at % 5}.5s` }),
          state: STATES[at % 3],
          ...(at % 5 === 0 ? {} : { client_request_id: `request ${at % 4}` }),
          tags: { ...tagsOf(at), ...(at % 6 === 0 ? {} : { 'mlflow.traceName': `step ${at % 3}` }) },
          trace_metadata: { ...tagsOf(at + 3), ...(at % 2 === 0 ? {} : { 'mlflow.sourceRun': run_id }) },
        },
      },
    });
    const model = await call('2.0/mlflow/logged-models', {
      experiment_id,
      name: `model-${at % 4}`,
      // Without one the server answers as if it were ''.
      model_type: at % 2 === 1 ? 'tree' : 'Tree',
      ...(at % 2 === 0 ? { source_run_id: run_id } : {}),
      params: list(tagsOf(at + 1)),
      tags: list(tagsOf(at + 2)),
    });
    const { model_id } = z
      .object({ model: z.object({ info: z.object({ model_id: z.string() }) }) })
      .parse(model).model.info;
    if (at % 3 > 0)
      await call('2.0/mlflow/runs/log-metric', {
        run_id,
        model_id,
        key: 'acc',
        value: at / 10,
        timestamp: 1000 + at,
        step: 0,
      });
    if (at >= 8) continue;
    const name = `registered ${at}`;
    await call('2.0/mlflow/registered-models/create', { name, tags: list(tagsOf(at)) });
    for (let version = 0; version <= at % 3; version++)
      await call('2.0/mlflow/model-versions/create', {
        name,
        source: `s3://bucket/${version}`,
        ...(at % 2 === 0 ? { run_id } : {}),
        tags: list(tagsOf(at + version)),
      });
  }
  const reader = await openReader(url, testOptions(directory, { side: 'from' }).options);
  const experiments: Experiment[] = [];
  for await (const experiment of reader.experiments(ALL_ACTIVE)) experiments.push(experiment);
  const scope = { selection: ALL_ACTIVE, experiments, isChosen: () => true, isHeld: () => true };
  for (const source of reader.objects?.values() ?? [])
    for await (const { of, record } of source.read(scope)) {
      const kind = KINDS.find(({ search }) => search === of.words.many)?.search;
      if (kind !== undefined) records.set(kind, [...(records.get(kind) ?? []), record]);
    }
  await reader.close();
}, 120_000);
afterAll(() => rm(directory, { recursive: true, force: true }));

const text = pick(
  ...COLORS,
  'r%',
  '%e%',
  'step 1',
  'OK',
  'ERROR',
  'model-2',
  'registered 3',
  'tree',
  'request 2',
  '1',
).map((value) => `'${value}'`);
const equals = pick('=', '!=');
const like = pick('=', '!=', 'LIKE', 'ILIKE');
const order = pick('=', '!=', '<', '<=', '>', '>=');
const joined = (subject: fc.Arbitrary<string>, operator: fc.Arbitrary<string>, value: fc.Arbitrary<string>) =>
  fc.tuple(subject, operator, value).map((parts) => parts.join(' '));
const keys = (entity: string) => pick('color', '`my key`', 'none').map((key) => `${entity}.${key}`);
const times = pick(1714521600000, 1714521605000, 1714521611500, 0, 2500, 500).map(String);

const KINDS: ReadonlyArray<{
  readonly search: SearchKind;
  readonly condition: fc.Arbitrary<string>;
  readonly push?: (text: string) => string | undefined;
  /** Ids that the server finds. */
  ask(filter: string): Promise<string[]>;
  idOf(record: ObjectRecord): string;
}> = [
  {
    search: 'traces',
    condition: fc.oneof(
      joined(fc.oneof(keys('tags'), keys('metadata')), like, text),
      joined(pick('status', 'name', 'client_request_id', 'attributes.status', 'trace.name'), like, text),
      joined(
        pick('timestamp_ms', 'execution_time_ms', 'end_time_ms', 'timestamp', 'execution_time'),
        order,
        times,
      ),
      joined(pick('tags.color', 'metadata.color'), pick('IS NULL', 'IS NOT NULL'), fc.constant('')),
    ),
    push: pushTraceFilter,
    async ask(filter) {
      const locations = [{ type: 'MLFLOW_EXPERIMENT', mlflow_experiment: { experiment_id } }];
      const answer = await call('3.0/mlflow/traces/search', { locations, filter, max_results: 500 });
      return z
        .object({ traces: z.array(z.object({ trace_id: z.string() })).default([]) })
        .parse(answer)
        .traces.map(({ trace_id }) => trace_id);
    },
    idOf: ({ trace_id }) => String(trace_id),
  },
  {
    search: 'logged models',
    condition: fc.oneof(
      joined(fc.oneof(keys('tags'), keys('params')), like, text),
      joined(pick('name', 'model_type', 'attributes.name'), like, text),
      joined(fc.constant('metrics.acc'), order, pick('0.1', '0.5', '1', '1.3')),
      joined(pick('creation_timestamp', 'last_updated_timestamp'), order, times),
    ),
    push: pushModelFilter,
    async ask(filter) {
      const answer = await call('2.0/mlflow/logged-models/search', {
        experiment_ids: [experiment_id],
        filter,
        max_results: 50,
      });
      return z
        .object({ models: z.array(z.object({ info: z.object({ model_id: z.string() }) })).default([]) })
        .parse(answer)
        .models.map(({ info }) => info.model_id);
    },
    idOf: ({ model_id }) => String(model_id),
  },
  {
    search: 'registered models',
    condition: fc.oneof(joined(keys('tags'), like, text), joined(pick('name', 'attribute.name'), like, text)),
    async ask(filter) {
      const query = new URLSearchParams({ filter, max_results: '100' });
      const answer = await (await fetch(`${url}/api/2.0/mlflow/registered-models/search?${query}`)).json();
      return z
        .object({ registered_models: z.array(z.object({ name: z.string() })).default([]) })
        .parse(answer)
        .registered_models.map(({ name }) => name);
    },
    idOf: ({ name }) => String(name),
  },
  {
    search: 'model versions',
    condition: fc.oneof(
      joined(keys('tags'), equals, text),
      joined(pick('name', 'source_path'), like, text),
      joined(fc.constant('version_number'), order, pick('0', '1', '2', '3')),
    ),
    async ask(filter) {
      const query = new URLSearchParams({ filter, max_results: '100' });
      const answer = await (await fetch(`${url}/api/2.0/mlflow/model-versions/search?${query}`)).json();
      return z
        .object({ model_versions: z.array(z.object({ name: z.string(), version: z.string() })).default([]) })
        .parse(answer)
        .model_versions.map(({ name, version }) => `${name}/${version}`);
    },
    idOf: ({ name, version }) => `${name}/${version}`,
  },
];

describe.each(KINDS)('expressions over $search', ({ search, condition, push, ask, idOf }) => {
  it('find what MLflow finds, and what is pushed leaves none of it out', async () => {
    const all = records.get(search) ?? [];
    expect(all.length).toBeGreaterThan(7);
    const texts = fc.sample(
      fc.array(condition, { minLength: 1, maxLength: 3 }).map((terms) => terms.join(' AND ')),
      { seed: 7, numRuns: EXPRESSIONS },
    );
    const disagreements: unknown[] = [];
    let found = 0;
    await mapConcurrent([...new Set(texts)], 4, async (filter) => {
      const expression = parseSearch(filter, search);
      const ours = all
        .filter((record) => expression === undefined || evaluateObject(expression, search, record))
        .map(idOf);
      const theirs = await ask(filter);
      if (ours.toSorted().join() !== theirs.toSorted().join()) disagreements.push({ filter, ours, theirs });
      if (ours.length > 0 && ours.length < all.length) found += 1;
      const pushed = push?.(filter);
      if (pushed === undefined) return;
      const superset = new Set(await ask(pushed));
      const lost = ours.filter((id) => !superset.has(id));
      if (lost.length > 0) disagreements.push({ filter, pushed, lost });
    });
    expect(disagreements).toEqual([]);
    expect(found).toBeGreaterThan(3);
  });
});

describe('expressions over objects', () => {
  it.each([
    [{ trace_filter: "status = 'ERROR' AND tags.color != 'red'" }, 'trace', 'traces'],
    [{ model_filter: "tags.color = 'red' AND metrics.acc > 0.5" }, 'logged_model', 'logged models'],
    [{ registered_model_filter: "name LIKE '%3'" }, 'model_version', 'model versions'],
    [{ model_version_filter: 'version_number = 2 OR run_id IS NULL' }, 'model_version', 'model versions'],
  ] as const)('choose what is read: %o', async (filters, kind, search) => {
    const reader = await openReader(url, testOptions(directory, { side: 'from' }).options);
    const selection = { ...ALL_ACTIVE, ...filters };
    const experiments: Experiment[] = [];
    for await (const experiment of reader.experiments(selection)) experiments.push(experiment);
    const scope = { selection, experiments, isChosen: () => true, isHeld: () => true };
    const read: ObjectRecord[] = [];
    for await (const { record } of reader.objects?.get(kind)?.read(scope) ?? []) read.push(record);
    await reader.close();
    const [text = ''] = Object.values(filters);
    const ownFilter =
      kind === 'model_version' && 'registered_model_filter' in filters ? "name LIKE '%3'" : text;
    const expression = parseSearch(ownFilter, search);
    const expected = (records.get(search) ?? []).filter(
      (record) => expression !== undefined && evaluateObject(expression, search, record),
    );
    expect(expected.length).toBeGreaterThan(0);
    expect(read).toEqual(expected);
  });

  it.each([
    ['traces', 'span.name = "a"', /there is no "span" to search traces by/],
    ['traces', 'feedback.good > 3', /expected an operator/],
    ['logged models', 'dataset.name = "a"', /there is no "dataset"/],
    ['model versions', 'stages = "a"', /have no attribute "stages"/],
  ] as const)('%s: %s is refused', (kind, filter, message) => {
    expect(() => parseSearch(filter, kind)).toThrow(message);
  });
});
