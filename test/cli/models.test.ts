import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { mlferry as run } from './mlferry.ts';
import { newStore } from './registered-store.ts';

let directory = '';
let store = '';
let archive = '';

const mlferry = (args: readonly string[]) => run(args, join(directory, 'state'));

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'mlferry-models-'));
  store = join(directory, 'mlruns');
  archive = join(directory, 'all.tar');
  const register = await newStore(store);
  await register('churn', { team: 'a' }, [
    ['1', 'None'],
    ['2', 'Archived', 'old'],
    ['11', 'Production', 'champion', 'best'],
  ]);
  await register('greeting', { 'mlflow.prompt.is_prompt': 'true' }, [['1', 'None']]);
  await register('empty', {}, []);
  const { status, err: stderr } = await mlferry([
    'backup',
    store,
    archive,
    '--accept-loss',
    'ARTIFACTS_UNREACHABLE',
    '-q',
  ]);
  expect([status, stderr]).toEqual([0, expect.any(String)]);
});
afterAll(() => rm(directory, { recursive: true, force: true }));

describe('mlferry models', () => {
  it.each(['directory', 'archive'])('list shows the registered models of: %s', async (kind) => {
    const place = kind === 'archive' ? archive : store;
    const { status, out: stdout } = await mlferry(['models', 'list', place]);
    expect(status).toBe(0);
    const rows = stdout
      .trimEnd()
      .split('\n')
      .map((line) => line.trim().split(/ {2,}/));
    expect(rows).toEqual([
      ['name', 'is', 'versions', 'latest', 'aliases', 'stages', 'last updated', 'description'],
      [
        'churn',
        'model',
        '3',
        '11',
        'old=2 best=11 champion=11',
        'Archived=2 Production=11',
        '2023-11-14T22:13:21Z',
        'churn of all',
      ],
      ['empty', 'model', '0', '2023-11-14T22:13:21Z', 'empty of all'],
      ['greeting', 'prompt', '1', '1', '2023-11-14T22:13:21Z', 'greeting of all'],
    ]);
  });

  it.each([
    [
      ['--registered-model', 'ch*'],
      ['churn/1', 'churn/2', 'churn/11'],
    ],
    [['--registered-model', 'churn@old'], ['churn/2']],
    [
      ['--model-version-filter', "stage = 'Production' OR alias = 'old'"],
      ['churn/2', 'churn/11'],
    ],
    [['--registered-model-filter', 'tags.team IS NULL'], ['greeting/1']],
  ])('list %j', async (args, expected) => {
    const { out: stdout } = await mlferry(['models', 'list', store, '--ndjson', ...args]);
    const models = stdout.split('\n').flatMap((line) => (line === '' ? [] : [JSON.parse(line)]));
    const versions = models.flatMap(({ versions: all }) => all);
    expect(versions.map(({ name, version }) => `${name}/${version}`)).toEqual(expected);
  });

  it('show tells all of one', async () => {
    const { status, out: stdout } = await mlferry(['models', 'show', archive, 'churn/latest']);
    expect(status).toBe(0);
    expect(stdout).toMatch(/registered model +churn\n/);
    expect(stdout).toMatch(/version +11\naliases +best, champion\nstage +Production\n/);
    expect(stdout).toMatch(/tag number +11\n/);
    expect(stdout).not.toContain('Archived');
    const { out: json } = await mlferry(['models', 'show', store, 'greeting', '--json']);
    expect(JSON.parse(json)).toMatchObject([
      { name: 'greeting', is_prompt: true, versions: [{ version: '1' }] },
    ]);
  });

  it('show of what there is not tells the nearest', async () => {
    const { status, err: stderr } = await mlferry(['models', 'show', store, 'chur']);
    expect(status).toBe(3);
    expect(stderr).toContain('did you mean "churn"?');
  });
});
