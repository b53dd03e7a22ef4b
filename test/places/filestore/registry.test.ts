import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { copyBetween } from '../../../src/copy/copy-between.ts';
import { verify } from '../../../src/verify/verify.ts';
import { makeTree, treeOf } from './store.ts';

let directory: string;
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'mlferry-registry-'));
});
afterAll(() => rm(directory, { recursive: true, force: true }));

const RUN = '1'.repeat(32);

/** A new directory with these files; its path. */
async function tree(files: Readonly<Record<string, string>>): Promise<string> {
  const root = await mkdtemp(join(directory, 'store-'));
  await makeTree(root, files);
  return root;
}

const experiment = 'artifact_location: ""\nexperiment_id: "1"\nlifecycle_stage: active\nname: one\n';
const run = `artifact_uri: ""\nexperiment_id: "1"\nlifecycle_stage: active\nrun_id: "${RUN}"\nrun_name: r\nstatus: 3\nstart_time: 1\nend_time: 2\nuser_id: u\n`;
const version = (number: number, source: string) =>
  `creation_timestamp: 5\ncurrent_stage: None\nname: m\nrun_id: null\nsource: ${JSON.stringify(source)}\nstatus: READY\nversion: ${number}\n`;

/** A store with a registered model `m` of two versions. */
const store = (source: string, more: Readonly<Record<string, string>> = {}) =>
  tree({
    '1/meta.yaml': experiment,
    [`1/${RUN}/meta.yaml`]: run,
    [`1/${RUN}/artifacts/model/MLmodel`]: `run_id: ${RUN}\n`,
    'models/m/meta.yaml': 'creation_timestamp: 4\ndescription: d\nlast_updated_timestamp: 6\nname: m\n',
    'models/m/tags/team': 'a',
    'models/m/version-1/meta.yaml': version(1, source),
    'models/m/version-3/meta.yaml': version(3, `runs:/${RUN}/model`),
    'models/m/aliases/champion': '1',
    ...more,
  });

const options = { stateDir: undefined, environment: {} };
const copied = async (from: string, to: string) => (await copyBetween(from, to, options)).report;
const aliasOf = (root: string, alias: string) => readFile(join(root, 'models/m/aliases', alias), 'utf8');

it('is copied with numbers, aliases and sources, once', async () => {
  const from = await store(`runs:/${RUN}/model`);
  const to = join(directory, 'whole');
  expect(await copied(from, to)).toMatchObject({
    exit_status: 0,
    losses: [],
    objects: { registered_models: { created: 1 }, model_versions: { created: 2 } },
  });
  expect(await aliasOf(to, 'champion')).toBe('1');
  expect(await readFile(join(to, 'models/m/version-3/meta.yaml'), 'utf8')).toContain(
    `${to}/1/${RUN}/artifacts/model`,
  );
  expect(await verify(from, to, options)).toMatchObject({ exit_status: 0, items: [] });
  expect(await copied(from, to)).toMatchObject({
    objects: { registered_models: { unchanged: 1 }, model_versions: { unchanged: 2 } },
  });
});

it('has an alias go with its version, and leaves one of somebody else', async () => {
  const from = await store(`runs:/${RUN}/model`, { 'models/m/aliases/theirs': '3' });
  const to = join(directory, 'aliases');
  await copied(from, to);
  await writeFile(join(from, 'models/m/aliases/champion'), '3');
  await writeFile(join(from, 'models/m/aliases/theirs'), '1');
  await mkdir(join(to, 'models/m/version-9'));
  await writeFile(join(to, 'models/m/version-9/meta.yaml'), version(9, 's3://x/y'));
  await writeFile(join(to, 'models/m/aliases/theirs'), '9');
  const report = await copied(from, to);
  expect(await aliasOf(to, 'champion')).toBe('3');
  expect(await aliasOf(to, 'theirs')).toBe('9');
  expect(report.losses).toMatchObject([{ code: 'VALUE_CONFLICT', key: 'alias theirs' }]);
});

it('brings files of a version that no run and no model has, and shows when one is changed', async () => {
  const from = await store('file:///to/be/replaced', { 'models/m/version-1/files/a/MLmodel': 'x: 1\n' });
  await writeFile(
    join(from, 'models/m/version-1/meta.yaml'),
    version(1, `file://${from}/models/m/version-1/files`),
  );
  const archive = join(directory, 'own.tar');
  const to = join(directory, 'own');
  for (const [source, target] of [
    [from, archive],
    [archive, to],
    [from, join(directory, 'own-2')],
  ] as const) {
    expect(await copied(source, target)).toMatchObject({ exit_status: 0, losses: [] });
    expect(await verify(source, target, options)).toMatchObject({ exit_status: 0, items: [] });
  }
  const file = join(to, 'models/m/version-1/artifacts/a/MLmodel');
  expect(await readFile(file, 'utf8')).toBe('x: 1\n');
  await writeFile(file, 'x: 2\n');
  expect(await verify(archive, to, options)).toMatchObject({
    exit_status: 4,
    items: [{ kind: 'model_version', differences: [{ field: 'artifacts a/MLmodel sha256' }] }],
  });
});

it.each(['../../../escaped', 'a/b', '..'])('writes nothing for the alias %j', async (alias) => {
  const from = await store(`runs:/${RUN}/model`);
  const stream = `${from}.ndjson`;
  await copyBetween(from, stream, options);
  const lines = await readFile(stream, 'utf8');
  expect(lines).toContain('"aliases":["champion"]');
  const edited = `${from}.edited.ndjson`;
  await writeFile(edited, lines.replace('"aliases":["champion"]', `"aliases":[${JSON.stringify(alias)}]`));
  const to = `${from}-copy`;
  const { report } = await copyBetween(edited, to, { ...options, allowEdited: true });
  expect(report.losses).toContainEqual(
    expect.objectContaining({ code: 'KEY_NOT_ALLOWED', key: `alias ${alias}`, left_behind: true }),
  );
  expect(report.exit_status).toBe(3);
  expect(Object.keys(await treeOf(to)).filter((path) => path.includes('alias'))).toEqual([]);
  expect(existsSync(join(directory, 'escaped'))).toBe(false);
});

/** A store whose run is deleted and is not copied along, so that version 1 brings the files at its source. */
async function storeOfDeleted(source: string) {
  const root = await store(source, {
    [`1/${RUN}/meta.yaml`]: run.replace('lifecycle_stage: active', 'lifecycle_stage: deleted'),
  });
  const to = `${root}-copy`;
  const report = await copied(root, to);
  const carried = Object.keys(await treeOf(to)).filter((path) =>
    path.startsWith('models/m/version-1/artifacts/'),
  );
  return { root, report, carried };
}

it('takes the files of a deleted run along with its version', async () => {
  const { report, carried } = await storeOfDeleted(`runs:/${RUN}/model`);
  expect(carried).toEqual(['models/m/version-1/artifacts/MLmodel']);
  expect(report.exit_status).toBe(0);
});

it('reads nothing outside of the store for a version', async () => {
  const secret = await tree({ 'key.txt': 'secret' });
  const unreachable = { code: 'ARTIFACTS_UNREACHABLE', of: { kind: 'model_version', id: 'm/1' } };
  for (const source of [
    `file://${secret}`,
    secret,
    `runs:/${RUN}/../../../../../..${secret}`,
    'runs:/../model',
  ]) {
    const { report, carried } = await storeOfDeleted(source);
    expect(carried).toEqual([]);
    expect(report.losses).toContainEqual(expect.objectContaining(unreachable));
    expect(report.exit_status).toBe(3);
  }
  const root = await store(`runs:/${RUN}/link`, {
    [`1/${RUN}/meta.yaml`]: run.replace('lifecycle_stage: active', 'lifecycle_stage: deleted'),
  });
  await symlink(secret, join(root, '1', RUN, 'artifacts', 'link'));
  const report = await copied(root, `${root}-copy`);
  expect(report.losses).toContainEqual(expect.objectContaining(unreachable));
  expect(Object.keys(await treeOf(`${root}-copy`)).filter((path) => path.includes('key.txt'))).toEqual([]);
});
