import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { removeModelAliases, setModelAlias } from '../../src/manage/alias-models.ts';
import { deleteModels } from '../../src/manage/delete-models.ts';
import { listModels } from '../../src/manage/list-models.ts';
import { tagModels } from '../../src/manage/tag-models.ts';
import { transitionModels } from '../../src/manage/transition-models.ts';
import { undo } from '../../src/manage/undo.ts';
import { sharedServer } from '../servers/shared-server.ts';
import { registered } from './registered.ts';
import { workspace } from './workspace.ts';

const newest = sharedServer();
const oldest = sharedServer({ version: '2.9.2' });
const onDirectory = sharedServer({ store: 'filestore', artifacts: 'plain' });
const served = async (server: typeof newest) => {
  const { url } = await server();
  return { place: url, url };
};

/**
 * Places that are changed, each looked at through a real MLflow server. `soft`: versions and logged models that are deleted stay, or come
 * back from the undo file, each of them. `keeps`: they stay.
 */
const PLACES = [
  { name: 'the newest server', soft: false, keeps: false, prompts: true, open: () => served(newest) },
  { name: 'an old server', soft: false, keeps: false, prompts: false, open: () => served(oldest) },
  {
    name: 'an mlruns directory',
    soft: true,
    keeps: true,
    prompts: true,
    open: async () => {
      const { url, directory } = await onDirectory();
      return { place: join(directory, 'mlruns'), url };
    },
  },
  {
    name: 'the database of a server',
    soft: true,
    keeps: false,
    prompts: true,
    open: async () => {
      const { url, directory } = await newest();
      return { place: `sqlite:///${join(directory, 'mlflow.db')}`, url };
    },
  },
];

let directory = '';
let undoFile = '';
let serial = 0;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'mlferry-models-'));
  undoFile = join(directory, 'undo.ndjson');
  serial += 1;
});
afterEach(async () => {
  await rm(directory, { recursive: true, force: true });
});

/** Two registered models, one with a gap in its numbers, and the beginning of their names. */
async function filled(open: (typeof PLACES)[number]['open']) {
  const { place, url } = await open();
  const at = registered(url);
  const prefix = `m${serial}`;
  const [one, two] = [`${prefix}-one`, `${prefix}-two`];
  await at.create(
    one,
    [
      { stage: 'Archived', tags: { size: 'small' }, description: 'the first' },
      undefined,
      { stage: 'Production', aliases: ['champion', 'best'], tags: { size: 'large' } },
      { stage: 'Staging' },
    ],
    { team: 'churn' },
  );
  await at.create(two, [{ aliases: ['champion'] }]);
  const before = [await at.look(one), await at.look(two)];
  return { place, url, at, one, two, all: `${prefix}-*`, before };
}

describe.each(PLACES)('on $name', ({ open, soft, keeps }) => {
  it('tags registered models, and versions by alias, number and filter, and puts the tags back', async () => {
    const { place, at, one, two, all, before } = await filled(open);
    const planned = await tagModels(place, { team: 'all' }, { registeredModels: [all], dryRun: true });
    expect(planned).toMatchObject({ total: 2, changed: 0, exit_status: 0 });
    expect([await at.look(one), await at.look(two)]).toEqual(before);

    const tags = { team: 'all', 'a new/one': 'x'.repeat(3000) };
    const report = await tagModels(place, tags, { registeredModels: [all], undoFile });
    expect(report).toMatchObject({ total: 2, changed: 2, failed: 0, final: 0, exit_status: 0 });
    expect((await at.look(one))?.tags).toMatchObject(tags);
    expect((await at.look(two))?.tags).toMatchObject(tags);
    expect(await tagModels(place, tags, { registeredModels: [all] })).toMatchObject({
      total: 0,
      unchanged: 2,
    });

    const versions = await tagModels(
      place,
      { size: null, seen: 'yes' },
      { registeredModels: [`${one}@champion`, `${one}/1`, `${two}/latest`], undoFile: `${undoFile}.2` },
    );
    expect(versions).toMatchObject({ total: 3, changed: 3 });
    const filter = "tags.size = 'large' OR version_number = 4";
    const byFilter = { registeredModels: [one], modelVersionFilter: filter, dryRun: true };
    expect(await tagModels(place, { x: 'y' }, byFilter)).toMatchObject({ total: 1 });
    expect((await at.look(one))?.versions.map(({ tags: own }) => own)).toEqual([
      { seen: 'yes' },
      { seen: 'yes' },
      {},
    ]);
    await undo(place, `${undoFile}.2`);
    const undone = await undo(place, undoFile);
    expect(undone).toMatchObject({ total: 2, changed: 2, exit_status: 0 });
    expect([await at.look(one), await at.look(two)]).toEqual(before);
  });

  it('sets and removes aliases of many registered models at once', async () => {
    const { place, at, one, two, all, before } = await filled(open);
    const set = await setModelAlias(place, 'champion', { registeredModels: [`${all}/latest`], undoFile });
    expect(set).toMatchObject({ total: 1, changed: 1, unchanged: 1, exit_status: 0 });
    expect((await at.look(one))?.aliases).toEqual({ best: '3', champion: '4' });
    const removed = await removeModelAliases(place, ['champion', 'best'], {
      registeredModels: [`${one}/3`, two],
      undoFile: `${undoFile}.2`,
    });
    expect(removed).toMatchObject({ total: 2, changed: 2 });
    expect([(await at.look(one))?.aliases, (await at.look(two))?.aliases]).toEqual([{ champion: '4' }, {}]);
    await undo(place, `${undoFile}.2`);
    await undo(place, undoFile);
    expect([await at.look(one), await at.look(two)]).toEqual(before);

    const unclear = await setModelAlias(place, 'x', { registeredModels: [one, `${two}/1`] });
    expect(unclear).toMatchObject({ changed: 1, failed: 1, exit_status: 3 });
    expect(unclear.failures[0]).toMatchObject({
      code: 'REFUSED',
      message: expect.stringContaining('3 are chosen'),
    });
    await expect(setModelAlias(place, 'v7', { registeredModels: [one] })).rejects.toMatchObject({
      code: 'USAGE',
    });
  });

  it('brings versions to a stage, and those before them to Archived', async () => {
    const { place, at, one, before } = await filled(open);
    const options = { registeredModels: [`${one}/4`], archiveExisting: true, undoFile };
    const report = await transitionModels(place, 'production', options);
    expect(report).toMatchObject({ total: 2, changed: 2, exit_status: 0 });
    const stages = async () => (await at.look(one))?.versions.map(({ current_stage }) => current_stage);
    expect(await stages()).toEqual(['Archived', 'Archived', 'Production']);
    await undo(place, undoFile);
    expect(await at.look(one)).toEqual(before[0]);
    const byStage = { registeredModels: [one], modelVersionFilter: "stage = 'Staging'" };
    await transitionModels(place, 'None', byStage);
    expect(await stages()).toEqual(['Archived', 'Production', 'None']);
  });

  it('deletes a registered model when that is meant, and makes it again with its numbers', async () => {
    const { place, at, one, two, all, before } = await filled(open);
    const options = { registeredModels: [all] };
    await expect(deleteModels(place, { ...options, undoFile })).rejects.toMatchObject({
      code: 'USAGE',
      hint: expect.stringContaining('--permanently'),
    });
    const planned = await deleteModels(place, { ...options, dryRun: true });
    expect(planned.notes).toContainEqual(expect.stringContaining('--permanently'));
    expect(planned.notes).toContainEqual(expect.stringContaining(`in a stage: ${one}/3`));
    expect([await at.look(one), await at.look(two)]).toEqual(before);

    const report = await deleteModels(place, { ...options, permanently: true, undoFile });
    expect(report).toMatchObject({ total: 2, changed: 2, final: 0, exit_status: 0 });
    expect([await at.look(one), await at.look(two)]).toEqual([undefined, undefined]);
    const undone = await undo(place, undoFile, { undoFile: `${undoFile}.2` });
    expect(undone).toMatchObject({ total: 2, changed: 2, failures: [], exit_status: 0 });
    expect([await at.look(one), await at.look(two)]).toEqual(before);
    expect(await undo(place, undoFile)).toMatchObject({ total: 0, unchanged: 2, exit_status: 0 });

    // Undoing what was undone deletes them again.
    expect(await undo(place, `${undoFile}.2`)).toMatchObject({ changed: 2, exit_status: 0 });
    expect(await at.look(one)).toBeUndefined();
    const gone = await deleteModels(place, { registeredModels: [one], permanently: true });
    expect(gone).toMatchObject({ total: 0, exit_status: 3 });
  });

  it('deletes versions, and claims an undo only where there is one', async () => {
    const { place, at, one, before } = await filled(open);
    const options = { registeredModels: [`${one}@best`, `${one}/1`], undoFile };
    const report = await deleteModels(place, { ...options, permanently: !keeps });
    expect(report).toMatchObject({ total: 2, changed: 2, final: soft ? 0 : 2, exit_status: 0 });
    expect((await at.look(one))?.versions.map(({ version }) => version)).toEqual(['4']);
    expect((await at.look(one))?.aliases).toEqual({});
    const undone = await undo(place, undoFile);
    if (soft) {
      expect(undone).toMatchObject({ changed: 2, exit_status: 0 });
      expect(await at.look(one)).toEqual(before[0]);
    } else {
      expect(undone).toMatchObject({ total: 0, failed: 2, exit_status: 3 });
      expect(undone.failures[0]).toMatchObject({ code: 'UNSUPPORTED' });
      expect(await readFile(undoFile, 'utf8')).toContain('the first');
    }
  });
});

describe.each(PLACES.filter(({ prompts }) => prompts))('on $name', ({ open }) => {
  it('leaves prompts alone unless they are meant', async () => {
    const { place, at, one, all } = await filled(open);
    const prompt = `m${serial}-prompt`;
    await at.create(prompt, [{ tags: { 'mlflow.prompt.text': 'Hi' }, aliases: ['live'] }], {
      'mlflow.prompt.is_prompt': 'true',
    });
    const before = await at.look(prompt);
    const globbed = await tagModels(place, { a: 'b' }, { registeredModels: [all] });
    expect(globbed).toMatchObject({ total: 2, notes: [expect.stringContaining('1 prompts fit too')] });
    expect(await at.look(prompt)).toEqual(before);
    expect(await tagModels(place, { a: 'b' }, { registeredModels: [all], prompts: true })).toMatchObject({
      changed: 1,
      unchanged: 2,
    });
    expect(await setModelAlias(place, 'new', { registeredModels: [`${prompt}/1`] })).toMatchObject({
      changed: 1,
    });
    expect(await transitionModels(place, 'Staging', { registeredModels: [prompt] })).toMatchObject({
      changed: 0,
      failures: [{ code: 'UNSUPPORTED' }],
      exit_status: 3,
    });
    await expect(
      tagModels(place, { 'mlflow.prompt.is_prompt': null }, { registeredModels: [prompt] }),
    ).rejects.toMatchObject({ code: 'USAGE' });
    const now = await at.look(prompt);
    await deleteModels(place, { registeredModels: [prompt], permanently: true, undoFile });
    expect(await at.look(prompt)).toBeUndefined();
    await undo(place, undoFile);
    expect(await at.look(prompt)).toEqual(now);
    const kinds: Record<string, boolean> = {};
    await listModels(place, {}, async ({ name, is_prompt }) => {
      kinds[name] = is_prompt;
    });
    expect(kinds).toMatchObject({ [prompt]: true, [one]: false });
  });
});

describe.each(PLACES.filter(({ prompts }) => prompts))('logged models on $name', ({ open, soft }) => {
  const created = z.object({ model: z.object({ info: z.object({ model_id: z.string() }) }) });

  /** Three in an experiment, one of them registered. */
  async function logged() {
    const { place, url } = await open();
    const { call, createExperiment } = workspace(url);
    const experiment_id = await createExperiment('logged');
    const ids: string[] = [];
    for (const name of ['tree', 'tree', 'forest']) {
      const body = { experiment_id, name, tags: [{ key: 'kind', value: name }] };
      ids.push(created.parse(await call('logged-models', body)).model.info.model_id);
    }
    const [first = '', second = '', third = ''] = ids;
    const name = `m${serial}-logged`;
    await call('registered-models/create', { name });
    await call('model-versions/create', { name, source: `models:/${third}`, model_id: third });
    const search = { experiment_ids: [experiment_id], max_results: 50 };
    const page = z.object({
      models: z
        .array(
          z.object({
            info: z.object({
              model_id: z.string(),
              tags: z.array(z.object({ key: z.string(), value: z.string() })).default([]),
            }),
          }),
        )
        .default([]),
    });
    const tagsOf = async () => {
      const { models } = page.parse(await call('logged-models/search', search));
      const entries = models.map(({ info }) => [
        info.model_id,
        Object.fromEntries(
          info.tags.filter(({ key }) => key !== 'mlflow.modelVersions').map(({ key, value }) => [key, value]),
        ),
      ]);
      return Object.fromEntries(entries);
    };
    return { place, url, experiment_id, first, second, third, tagsOf };
  }

  it('list their versions as before when a registered model is made again', async () => {
    const { place, url, first, second } = await logged();
    const { call } = workspace(url);
    const names = [`m${serial}-x`, `m${serial}-y`];
    for (const name of names) {
      await call('registered-models/create', { name });
      for (const model_id of [first, second, first])
        await call('model-versions/create', { name, source: `models:/${model_id}`, model_id });
    }
    const listed = async (id: string) => {
      const { model } = z
        .object({
          model: z.object({
            info: z.object({ tags: z.array(z.object({ key: z.string(), value: z.string() })) }),
          }),
        })
        .parse(await call(`logged-models/${id}`));
      const text = model.info.tags.find(({ key }) => key === 'mlflow.modelVersions')?.value ?? '[]';
      const versions = z.array(z.object({ name: z.string(), version: z.unknown() })).parse(JSON.parse(text));
      return versions.map(({ name, version }) => `${name}/${version}`).sort();
    };
    const before = [await listed(first), await listed(second)];
    expect(before.map(({ length }) => length)).toEqual([4, 2]);
    await deleteModels(place, { registeredModels: names.slice(0, 1), permanently: true, undoFile });
    const undone = await undo(place, undoFile);
    expect(undone).toMatchObject({ changed: 1, failures: [], exit_status: 0 });
    expect([await listed(first), await listed(second)]).toEqual(before);
  });

  it('are tagged and deleted by id, name and filter', async () => {
    const { place, experiment_id, first, second, third, tagsOf } = await logged();
    const inIt = { experiments: [experiment_id] };
    const before = await tagsOf();
    const tagged = await tagModels(
      place,
      { kind: null, 'checked by': 'me' },
      { ...inIt, loggedModels: ['tree', third], undoFile },
    );
    expect(tagged).toMatchObject({ total: 3, changed: 3, exit_status: 0 });
    expect(await tagsOf()).toEqual({
      [first]: { 'checked by': 'me' },
      [second]: { 'checked by': 'me' },
      [third]: { 'checked by': 'me' },
    });
    expect(await undo(place, undoFile)).toMatchObject({ changed: 3, exit_status: 0 });
    expect(await tagsOf()).toEqual(before);

    const options = { ...inIt, modelFilter: `name = 'forest' OR model_id = '${second}'` };
    const report = await deleteModels(place, { ...options, permanently: !soft, undoFile: `${undoFile}.2` });
    expect(report).toMatchObject({ total: 2, changed: 2, final: soft ? 0 : 2, exit_status: 0 });
    expect(report.notes).toContainEqual(expect.stringContaining(`m${serial}-logged/1`));
    expect(Object.keys(await tagsOf())).toEqual([first]);
    const undone = await undo(place, `${undoFile}.2`);
    expect(undone).toMatchObject(soft ? { changed: 2, exit_status: 0 } : { failed: 2, exit_status: 3 });
    expect(await tagsOf()).toEqual(soft ? before : { [first]: before[first] });
    const none = await deleteModels(place, { ...inIt, loggedModels: ['trea'], permanently: true });
    expect(none).toMatchObject({ total: 0, exit_status: 3 });
    expect(none.failures[0]?.message).toContain('did you mean "tree"?');
  });
});

it('an old server is told to have no logged models', async () => {
  const { place } = await served(oldest);
  await expect(deleteModels(place, { loggedModels: ['x'] })).rejects.toMatchObject({ code: 'UNSUPPORTED' });
});
