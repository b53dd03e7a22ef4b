import { cp, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { mlferry as run } from './mlferry.ts';
import { newStore } from './registered-store.ts';

let directory = '';
let store = '';
let undo = '';

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'mlferry-models-'));
  store = join(directory, 'mlruns');
  undo = join(directory, 'undo.ndjson');
  const register = await newStore(store);
  await register('churn', { team: 'a' }, [
    ['1', 'None'],
    ['2', 'Staging', 'old'],
    ['11', 'Production', 'champion', 'best'],
  ]);
  await register('churn-2', {}, [['1', 'None']]);
  await register('greeting', { 'mlflow.prompt.is_prompt': 'true' }, [['1', 'None']]);
});
afterEach(() => rm(directory, { recursive: true, force: true }));

const models = (command: string, ...args: string[]) =>
  run(['models', ...command.split(' '), store, ...args], join(directory, 'state'));
const text = (path: string) => readFile(join(store, 'models', path), 'utf8');

describe('mlferry models', () => {
  it('tag shows what it is going to change, changes it and prints what undoes it', async () => {
    const args = ['team=b', '--registered-model', 'churn*', '--registered-model', 'churn@champion'];
    const dry = await models('tag', ...args, '--dry-run');
    expect(dry.err).toMatch(/^Change the tags of 3 models or versions at /);
    expect(dry.err).toMatch(/ {2}registered model +churn +team: a → b\n/);
    expect(dry.err).toMatch(/ {2}model version +churn\/11 +team: - → b\n/);
    expect(dry.err).toContain('Dry run: nothing was changed.');
    expect(await text('churn/tags/team')).toBe('a');
    const done = await models('tag', ...args, '--yes', '--undo-file', undo);
    expect(done.err).toContain('Changed the tags of 3 models or versions.\n');
    expect(done.err).toContain(`Undo: mlferry models restore ${store} --from-undo ${undo}\n`);
    expect([await text('churn/tags/team'), await text('churn/version-11/tags/team')]).toEqual(['b', 'b']);
    const again = await models('tag', ...args, '--yes');
    expect(again.err).toBe('Nothing to do. 3 models or versions had nothing to be changed.\n');
    const restored = await models('restore', '--from-undo', undo, '--yes');
    expect(restored).toMatchObject({
      status: 0,
      err: expect.stringContaining('Put back 3 models or versions.'),
    });
    expect(await text('churn/tags/team')).toBe('a');
    await expect(text('churn/version-11/tags/team')).rejects.toMatchObject({ code: 'ENOENT' });
  });

  it.each([
    ['alias set', ['fresh', '--registered-model', 'churn*/latest'], 'fresh: - → 11'],
    ['alias remove', ['best', 'old', '--registered-model', 'churn'], 'best: 11 → -, old: 2 → -'],
    [
      'transition',
      ['--stage', 'Archived', '--model-version-filter', "stage = 'Staging'"],
      'Staging → Archived',
    ],
  ])('%s says what becomes what, as JSON too', async (command, args, told) => {
    const { err, out, status } = await models(command, ...args, '--yes', '--json');
    expect(err).toContain(told);
    const { total, changed } = JSON.parse(out);
    expect({ status, changed }).toEqual({ status: 0, changed: total });
  });

  it('delete wants to be told that it is for good, and brings back every byte', async () => {
    const before = await text('churn/version-2/meta.yaml');
    const { err, status } = await models('delete', '--registered-model', 'churn', '--yes');
    expect(err).toContain('Add --permanently if that is meant');
    expect(status).toBe(2);
    const args = ['--registered-model', 'churn', '--permanently', '--yes', '--json', '--undo-file', undo];
    const { out } = await models('delete', ...args);
    expect(JSON.parse(out)).toMatchObject({
      ...{ total: 1, changed: 1, final: 0 },
      objects: [
        { kind: 'registered_model', id: 'churn', before: { deleted: false }, after: { deleted: true } },
      ],
    });
    await expect(text('churn/meta.yaml')).rejects.toMatchObject({ code: 'ENOENT' });
    expect((await models('restore', '--from-undo', undo, '--yes')).status).toBe(0);
    expect(await text('churn/version-2/meta.yaml')).toBe(before);
    expect(await text('churn/aliases/champion')).toBe('11');
  });

  it('claims no undo of a registered model that has files of models of its own', async () => {
    await mkdir(join(store, 'models/churn/version-1/artifacts'));
    await writeFile(join(store, 'models/churn/version-1/artifacts/model.pkl'), 'bytes');
    const args = ['--registered-model', 'churn', '--permanently', '--yes', '--undo-file', undo];
    const { err } = await models('delete', ...args);
    expect(err).toContain(`What was deleted for good is described in ${undo}\n`);
    expect(err).not.toContain('Undo:');
    const restored = await models('restore', '--from-undo', undo, '--yes');
    expect(restored).toMatchObject({ status: 3, err: expect.stringContaining('nothing brings it back') });
  });

  it.each([
    [['tag', 'a=b'], 'Nothing says which models', 2],
    [['tag', 'a', '--registered-model', 'churn'], 'not of the form KEY=VALUE', 2],
    [['tag', 'mlflow.prompt.text=x', '--registered-model', 'greeting'], 'MLflow keeps prompts themselves', 2],
    [['tag', 'a=b', '--registered-model-filter', 'tags.team ='], 'EXPRESSION', 2],
    [['tag', 'a=b', '--registered-model', 'chur'], 'did you mean "churn"?', 3],
    [['tag', 'a=b', '--registered-model', 'churn/7'], '"churn" has no such version', 3],
    [['tag', '../a=b', '--registered-model', 'churn'], 'cannot be a file', 3],
    [['alias set', 'latest', '--registered-model', 'churn/1'], 'MLflow keeps latest', 2],
    [['alias set', 'a/b', '--registered-model', 'churn/1'], 'up to 255 letters', 2],
    [['alias set', 'a', '--registered-model', 'churn'], '3 are chosen', 3],
    [['transition', '--stage', 'Live', '--registered-model', 'churn'], 'Allowed choices are None', 2],
    [['transition', '--stage', 'None', '--archive-existing', '--registered-model', 'churn'], 'make room', 2],
    [['transition', '--stage', 'Staging', '--registered-model', 'greeting'], 'have stages', 3],
  ])('%j tells %j', async ([command = '', ...args], told, status) => {
    const ended = await models(command, ...args, '--yes');
    expect(ended.err).toContain(told);
    expect(ended.status).toBe(status);
    expect(await text('churn/tags/team')).toBe('a');
  });

  it('asks on a terminal, and without one wants --yes', async () => {
    const args = ['models', 'untag', store, 'team', '--registered-model', 'churn'];
    expect(await run(args, directory)).toMatchObject({ status: 2 });
    const no = await run(args, directory, { answer: 'n\n' });
    expect(no).toMatchObject({ status: 130, err: expect.stringContaining('Nothing was changed.') });
    expect((await run(args, directory, { answer: 'y\n' })).status).toBe(0);
    await expect(text('churn/tags/team')).rejects.toMatchObject({ code: 'ENOENT' });
  });

  it('changes no archive', async () => {
    const archive = join(directory, 'a.tar');
    await run(['backup', store, archive, '--accept-loss', 'ARTIFACTS_UNREACHABLE'], directory);
    const { err, status } = await run(
      ['models', 'tag', archive, 'a=b', '--registered-model', 'churn', '-y'],
      directory,
    );
    expect(err).toContain('cannot be changed in place');
    expect(status).toBe(2);
  });

  it.each([
    ['"meta.yaml":', '"../../../outside/meta.yaml":', 'names files outside'],
    ['"id":"churn"', '"id":"../../outside"', 'cannot hold a registered model named'],
  ])('writes nothing elsewhere for an undo file with %s instead of %s', async (from, to, told) => {
    await cp(join(store, 'models'), join(directory, 'copy'), { recursive: true });
    await models('delete', '--registered-model', 'churn', '--permanently', '--yes', '--undo-file', undo);
    await writeFile(undo, (await readFile(undo, 'utf8')).replace(from, to));
    const { err, status } = await models('restore', '--from-undo', undo, '--yes');
    expect(err).toContain(told);
    expect(status).not.toBe(0);
    await expect(readFile(join(directory, 'outside/meta.yaml'))).rejects.toMatchObject({ code: 'ENOENT' });
  });
});
