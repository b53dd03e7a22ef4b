import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { copyBetween } from '../../src/copy/copy-between.ts';
import { deleteExperiments } from '../../src/manage/delete-experiments.ts';
import { deleteRuns } from '../../src/manage/delete-runs.ts';
import { listRuns } from '../../src/manage/list-runs.ts';
import { renameExperiment } from '../../src/manage/rename-experiment.ts';
import { renameRun } from '../../src/manage/rename-run.ts';
import { restoreExperiments } from '../../src/manage/restore-experiments.ts';
import { restoreRuns } from '../../src/manage/restore-runs.ts';
import { tagExperiments } from '../../src/manage/tag-experiments.ts';
import { tagRuns } from '../../src/manage/tag-runs.ts';
import { undo } from '../../src/manage/undo.ts';
import { verify } from '../../src/verify/verify.ts';
import { sharedServer } from '../servers/shared-server.ts';
import { workspace } from './workspace.ts';

const newest = sharedServer();
const oldest = sharedServer({ version: '2.9.2' });
const onDirectory = sharedServer({ store: 'filestore', artifacts: 'plain' });

const DATABASE = 'the database of a server';

/** Places that are changed, each looked at through a real MLflow server. */
const PLACES = [
  {
    name: 'the newest server',
    knowsTimes: false,
    open: async () => ({ place: (await newest()).url, url: (await newest()).url }),
  },
  {
    name: 'an old server',
    knowsTimes: false,
    open: async () => ({ place: (await oldest()).url, url: (await oldest()).url }),
  },
  {
    name: 'an mlruns directory',
    knowsTimes: true,
    open: async () => {
      const { url, directory } = await onDirectory();
      return { place: join(directory, 'mlruns'), url };
    },
  },
  {
    name: DATABASE,
    knowsTimes: true,
    open: async () => {
      const { url, directory } = await newest();
      return { place: `sqlite:///${join(directory, 'mlflow.db')}`, url };
    },
  },
];

let directory = '';
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'mlferry-manage-'));
});
afterEach(async () => {
  await rm(directory, { recursive: true, force: true });
});

describe.each(PLACES)('on $name', ({ name: kind, open, knowsTimes }) => {
  it('deletes a tree with the runs below, across experiments and through a cycle, and restores it', async () => {
    const { place, url } = await open();
    const at = workspace(url);
    const [one, two] = [await at.createExperiment('tree'), await at.createExperiment('tree')];
    await at.createRuns(one, [{ name: 'root' }, { name: 'other' }]);
    await at.createRuns(two, [{ name: 'child', parent: 'root' }]);
    await at.createRuns(one, [{ name: 'grandchild', parent: 'child' }]);
    await at.createRuns(two, [{ name: 'leaf', parent: 'grandchild' }, { name: 'lone' }]);
    const parent = { key: 'mlflow.parentRunId', value: at.id('leaf') };
    await at.call('runs/set-tag', { run_id: at.id('root'), ...parent });
    const before = await at.stages(one, two);
    // Below a deleted run there may be active ones.
    await at.deleteRun('grandchild');

    const selection = { runs: [at.id('root')] };
    const planned = await deleteRuns(place, { selection, dryRun: true });
    expect(planned).toMatchObject({ total: 3, descendants: 2, changed: 0, exit_status: 0 });
    expect(await at.stages(one, two)).toEqual({ ...before, grandchild: 'deleted' });

    const undoFile = join(directory, 'undo.ndjson');
    const report = await deleteRuns(place, { selection, undoFile });
    expect(report).toMatchObject({ total: 3, changed: 3, failed: 0, failures: [], exit_status: 0 });
    const deleted = { child: 'deleted', grandchild: 'deleted', leaf: 'deleted', root: 'deleted' };
    expect(await at.stages(one, two)).toEqual({ ...before, ...deleted });

    const again = await deleteRuns(place, { selection });
    expect(again).toMatchObject({ total: 0, unchanged: 1, exit_status: 0 });

    await undo(place, undoFile);
    expect(await at.stages(one, two)).toEqual({ ...before, grandchild: 'deleted' });

    await deleteRuns(place, { selection, cascade: false });
    expect(await at.stages(one, two)).toEqual({ ...before, grandchild: 'deleted', root: 'deleted' });
    await restoreRuns(place, { selection });
    expect(await at.stages(one, two)).toEqual({ ...before, grandchild: 'deleted' });
    await deleteRuns(place, { selection });
    const restored = await restoreRuns(place, { selection, cascade: true });
    expect(restored).toMatchObject({ total: 4, descendants: 3, changed: 4 });
    expect(await at.stages(one, two)).toEqual(before);
    expect(await at.tagsOf('leaf')).not.toHaveProperty('mlferry.deleted_time');
  });

  it('finds the children of many parents', async () => {
    const { place, url } = await open();
    const at = workspace(url);
    const [one, two] = [await at.createExperiment('many'), await at.createExperiment('many')];
    const parents = Array.from({ length: 30 }, (_, index) => `parent ${index}`);
    await at.createRuns(
      one,
      parents.map((name) => ({ name })),
    );
    await at.createRuns(two, [
      { name: 'child 3', parent: 'parent 3' },
      { name: 'child 29', parent: 'parent 29' },
      { name: 'lone' },
    ]);
    const report = await deleteRuns(place, { selection: { experiments: [one] } });
    expect(report).toMatchObject({ total: 32, descendants: 2, changed: 32, failed: 0 });
    expect(await at.stages(two)).toEqual({ 'child 29': 'deleted', 'child 3': 'deleted', lone: 'active' });
  });

  it('restores by the time of deletion what mlferry deleted, and says what it does not know', async () => {
    const { place, url } = await open();
    const at = workspace(url);
    const experiment = await at.createExperiment('times');
    await at.createRuns(
      experiment,
      ['a', 'b', 'c', 'd'].map((name) => ({ name })),
    );
    const selection = { experiments: [experiment] };
    await deleteRuns(place, { selection: { runs: [at.id('a')] } });
    const a = await deletedTime(place, at.id('a'));
    await deleteRuns(place, { selection: { runs: [at.id('b')] } });
    const b = await deletedTime(place, at.id('b'));
    await at.deleteRun('c');
    const unknown = knowsTimes ? 0 : 1;

    const late = await restoreRuns(place, { selection, deletedAfter: b + 60_000 });
    expect(late).toMatchObject({ total: 0, unknown_times: unknown });
    expect(late.left_out.length).toBe(3);
    expect(late.left_out).toContainEqual({ run_id: at.id('a'), run_name: 'a', deleted_time: a });
    expect(late.left_out.filter(({ deleted_time }) => deleted_time === undefined)).toEqual(
      unknown === 0 ? [] : [{ run_id: at.id('c'), run_name: 'c' }],
    );
    const listed: string[] = [];
    await listRuns(place, { selection: { ...selection, view: 'deleted' }, deletedAfter: a }, async (run) => {
      listed.push(run.run_name);
    });
    expect(listed.toSorted()).toEqual(unknown === 0 ? ['a', 'b', 'c'] : ['a', 'b']);

    const report = await restoreRuns(place, { selection, deletedAfter: a });
    expect(report).toMatchObject({ changed: 3 - unknown, failed: 0 });
    expect(await at.stages(experiment)).toEqual({
      a: 'active',
      b: 'active',
      c: unknown === 0 ? 'active' : 'deleted',
      d: 'active',
    });
  });

  it('deletes by time of creation, up to a number', async () => {
    const { place, url } = await open();
    const at = workspace(url);
    const experiment = await at.createExperiment('created');
    const start = Date.UTC(2024, 0, 1);
    await at.createRuns(
      experiment,
      ['a', 'b', 'c', 'd'].map((name, index) => ({ name, start: start + index })),
    );
    const selection = { experiments: [experiment], max_runs: 2 };
    const report = await deleteRuns(place, { selection, createdBefore: start + 2 });
    expect(report).toMatchObject({ changed: 2 });
    // The latest come first, as in MLflow.
    expect(await at.stages(experiment)).toEqual({ a: 'active', b: 'deleted', c: 'deleted', d: 'active' });
    await deleteRuns(place, {
      selection: { ...selection, filter: "attributes.run_name != 'a'" },
      createdBefore: start + 3,
    });
    expect(await at.stages(experiment)).toEqual({ a: 'active', b: 'deleted', c: 'deleted', d: 'deleted' });
    const few = { selection: { ...selection, max_runs: 1 }, deletedAfter: 0 };
    expect(await restoreRuns(place, few)).toMatchObject({ changed: 1 });
    expect(await at.stages(experiment)).toMatchObject({ d: 'active' });
  });

  it('restores an experiment without the runs that had been deleted before it', async () => {
    const { place, url } = await open();
    const at = workspace(url);
    const experiment = await at.createExperiment('whole');
    await at.createRuns(
      experiment,
      ['a', 'b', 'c', 'd'].map((name) => ({ name })),
    );
    await at.deleteRun('a');
    await deleteRuns(place, { selection: { runs: [at.id('b')] } });
    const before = await at.stages(experiment);
    const tags = (await at.experiment(experiment)).tags;
    const selection = { experiments: [experiment] };
    const undoFile = join(directory, 'undo.ndjson');

    const deleted = await deleteExperiments(place, { selection, undoFile });
    expect(deleted).toMatchObject({ total: 1, changed: 1, failed: 0, exit_status: 0 });
    expect(Object.values(await at.stages(experiment))).toEqual(Array(4).fill('deleted'));
    expect((await at.experiment(experiment)).lifecycle_stage).toBe('deleted');

    // From another machine: the undo file is not there.
    const restored = await restoreExperiments(place, { selection });
    expect(restored).toMatchObject({ changed: 1, failed: 0, failures: [] });
    expect(restored.notes.join()).toContain('2 runs had been deleted before it');
    expect(await at.stages(experiment)).toEqual(before);
    expect(withoutEmpty((await at.experiment(experiment)).tags)).toEqual(tags);
    expect(await restoreExperiments(place, { selection })).toMatchObject({ total: 0, unchanged: 1 });

    await deleteExperiments(place, { selection });
    await undo(place, undoFile);
    expect(await at.stages(experiment)).toEqual(before);
    expect((await at.experiment(experiment)).lifecycle_stage).toBe('active');
  });

  it('goes on where a restoration was interrupted', async () => {
    const { place, url } = await open();
    const at = workspace(url);
    const experiment = await at.createExperiment('half');
    await at.createRuns(experiment, [{ name: 'a' }, { name: 'b' }]);
    await at.deleteRun('a');
    const selection = { experiments: [experiment] };
    await deleteExperiments(place, { selection });
    // As if it had ended after its first request.
    await at.call('experiments/restore', { experiment_id: experiment });
    expect(await at.stages(experiment)).toEqual({ a: 'active', b: 'active' });
    expect(await restoreExperiments(place, { selection })).toMatchObject({ changed: 1, failed: 0 });
    expect(await at.stages(experiment)).toEqual({ a: 'deleted', b: 'active' });
  });

  it('says what it cannot know of an experiment that something else deleted', async () => {
    const { place, url } = await open();
    const at = workspace(url);
    const experiment = await at.createExperiment('foreign');
    await at.createRuns(
      experiment,
      ['a', 'b', 'c'].map((name) => ({ name })),
    );
    await at.deleteRun('a');
    await deleteRuns(place, { selection: { runs: [at.id('b')] } });
    expect(await at.stages(experiment)).toEqual({ a: 'deleted', b: 'deleted', c: 'active' });
    await at.call('experiments/delete', { experiment_id: experiment });
    const report = await restoreExperiments(place, { selection: { experiments: [experiment] } });
    const isDirectory = kind === 'an mlruns directory';
    // A store on a database gives all of them the time of the experiment.
    const isDatabase = kind === DATABASE;
    const unknown = isDatabase
      ? /of its 3 runs had been deleted before is not known/
      : /not known, but for 1/;
    expect(report.notes.join()).toMatch(isDirectory ? /2 runs had been deleted before/ : unknown);
    expect(await at.stages(experiment)).toEqual({
      a: isDirectory ? 'deleted' : 'active',
      b: isDatabase ? 'active' : 'deleted',
      c: 'active',
    });
  });

  it('tags, removes tags, renames, and undoes it', async () => {
    const { place, url } = await open();
    const at = workspace(url);
    const experiment = await at.createExperiment('tags');
    await at.createRuns(experiment, [{ name: 'a', tags: { old: 'x', keep: 'y' } }, { name: 'b' }]);
    await at.call('runs/update', { run_id: at.id('a'), status: 'FINISHED', end_time: 1_700_000_001_000 });
    const before = [await at.tagsOf('a'), await at.tagsOf('b')];
    const selection = { experiments: [experiment] };
    const undoFile = join(directory, 'undo.ndjson');
    const set = await tagRuns(
      place,
      { old: 'new', 'a/b': 'ü, "q"\nline', gone: null },
      { selection, undoFile },
    );
    expect(set).toMatchObject({ changed: 2, failed: 0 });
    expect(await at.tagsOf('a')).toMatchObject({ old: 'new', keep: 'y', 'a/b': 'ü, "q"\nline' });
    expect(await tagRuns(place, { old: 'new' }, { selection })).toMatchObject({ total: 0, unchanged: 2 });
    expect(await tagRuns(place, { keep: null }, { selection })).toMatchObject({ changed: 1, unchanged: 1 });
    expect(await at.tagsOf('a')).not.toHaveProperty('keep');
    await tagRuns(place, { keep: 'y' }, { selection: { runs: [at.id('a')] } });
    await undo(place, undoFile);
    expect([await at.tagsOf('a'), await at.tagsOf('b')]).toEqual(before);

    const renameUndo = join(directory, 'rename.ndjson');
    expect(await renameRun(place, at.id('a'), 'a new name', { undoFile: renameUndo })).toMatchObject({
      changed: 1,
    });
    const { info, tags } = await at.run(at.id('a'));
    expect(info).toMatchObject({ run_name: 'a new name', status: 'FINISHED', end_time: 1_700_000_001_000 });
    expect(tags['mlflow.runName']).toBe('a new name');
    await undo(place, renameUndo);
    expect((await at.run(at.id('a'))).info).toMatchObject({ run_name: 'a' });

    await tagExperiments(place, { team: 'one' }, { selection });
    expect((await at.experiment(experiment)).tags).toMatchObject({ team: 'one' });
    const name = `renamed ${experiment} ${kind}`;
    expect(await renameExperiment(place, experiment, name)).toMatchObject({ changed: 1, failed: 0 });
    expect(await at.call(`experiments/get?experiment_id=${experiment}`)).toMatchObject({
      experiment: { name },
    });
    const other = await at.createExperiment('other');
    await expect(renameExperiment(place, other, name)).rejects.toMatchObject({ code: 'CONFLICT' });
  });

  it('refuses a value that the place would cut or cannot hold, and a run that is not there', async () => {
    const { place, url } = await open();
    const at = workspace(url);
    const experiment = await at.createExperiment('refusals');
    await at.createRuns(experiment, [{ name: 'a' }]);
    const selection = { experiments: [experiment] };
    const wrong =
      kind === 'an mlruns directory'
        ? { 'no\u0007key': 'x' }
        : { long: kind === DATABASE ? 'half of a pair: \ud800' : 'x'.repeat(8001) };
    const report = await tagRuns(place, wrong, { selection });
    expect(report).toMatchObject({ changed: 0, failed: 1, exit_status: 3, failures: [{ code: 'REFUSED' }] });
    const missing = { selection: { runs: ['0'.repeat(32)] } };
    expect(await deleteRuns(place, missing)).toMatchObject({
      exit_status: 3,
      failures: [{ code: 'NOT_FOUND' }],
    });
    await expect(tagRuns(place, { 'mlflow.runName': 'x' }, { selection })).rejects.toMatchObject({
      code: 'USAGE',
    });
  });

  it('leaves no mark for a copy: after a deletion and a restoration there is nothing to send', async () => {
    const { place, url } = await open();
    const at = workspace(url);
    const experiment = await at.createExperiment('copied');
    await at.createRuns(experiment, [{ name: 'a', tags: { t: '1' } }, { name: 'b' }]);
    for (const name of ['a', 'b'])
      await at.call('runs/update', { run_id: at.id(name), status: 'FINISHED', end_time: 1_700_000_001_000 });
    const target = join(directory, 'mlruns');
    const selection = { experiments: [experiment], view: 'all' } as const;
    expect((await copyBetween(place, target, { selection })).report.runs).toMatchObject({ created: 2 });
    await deleteRuns(place, { selection });
    await restoreRuns(place, { selection: { experiments: [experiment] } });
    expect((await copyBetween(place, target, { selection })).report.runs).toMatchObject({
      unchanged: 2,
      updated: 0,
    });

    await deleteRuns(place, { selection: { runs: [at.id('a')] } });
    await deleteExperiments(place, { selection: { experiments: [experiment] } });
    const whole = join(directory, 'whole');
    await copyBetween(place, whole, { selection });
    // Of the database alone the files of its server are out of reach.
    const artifacts = kind !== DATABASE;
    expect(await verify(place, whole, { selection, artifacts })).toMatchObject({ items: [], exit_status: 0 });
    const backup = join(directory, 'backup.tar');
    await copyBetween(place, backup, { selection });
    const restored = join(directory, 'restored');
    const { report } = await copyBetween(backup, restored, { selection: { view: 'all' } });
    expect(report.failures).toEqual([]);
    const runs: Array<[string, unknown, boolean]> = [];
    await listRuns(restored, { selection: { view: 'deleted' } }, async ({ run_name, deleted_time, tags }) => {
      runs.push([run_name, typeof deleted_time, Object.hasOwn(tags, 'mlferry.deleted_time')]);
    });
    expect(runs.sort()).toEqual([
      ['a', 'number', false],
      // Of what was deleted with its experiment no server tells the time.
      ['b', knowsTimes ? 'number' : 'undefined', false],
    ]);
  });
});

describe('the undo file', () => {
  it('is written before anything is changed, and is never overwritten', async () => {
    const { url } = await newest();
    const at = workspace(url);
    const experiment = await at.createExperiment('undo');
    await at.createRuns(experiment, [{ name: 'a' }]);
    const undoFile = join(directory, 'undo.ndjson');
    const options = { selection: { experiments: [experiment] }, undoFile };
    expect(await deleteRuns(url, { ...options, confirm: async () => false })).toMatchObject({
      confirmed: false,
      changed: 0,
      exit_status: 130,
    });
    await expect(readFile(undoFile)).rejects.toMatchObject({ code: 'ENOENT' });
    await deleteRuns(url, options);
    await restoreRuns(url, { selection: { experiments: [experiment] } });
    await expect(deleteRuns(url, options)).rejects.toMatchObject({ code: 'CONFLICT' });
    const unwritable = { ...options, undoFile: 'README.md/undo.ndjson' };
    await expect(deleteRuns(url, unwritable)).rejects.toMatchObject({ code: 'USAGE' });
    expect(await at.stages(experiment)).toEqual({ a: 'active' });
  });

  it('is refused when it is none', async () => {
    await expect(undo('samples/mlruns', 'README.md')).rejects.toMatchObject({ code: 'CORRUPT' });
    await expect(undo('samples/mlruns', join(directory, 'none'))).rejects.toMatchObject({ code: 'USAGE' });
  });
});

it('refuses to change an archive', async () => {
  await expect(deleteRuns('samples/backup.tar', {})).rejects.toMatchObject({ code: 'LOCATION' });
});

async function deletedTime(place: string, run_id: string): Promise<number> {
  let time = Number.NaN;
  await listRuns(place, { selection: { runs: [run_id], view: 'all' } }, async ({ deleted_time }) => {
    time = Number(deleted_time);
  });
  return time;
}

/** MLflow before 3.0 cannot remove the tag of an experiment. */
function withoutEmpty(tags: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.entries(tags).filter(([, value]) => value !== ''));
}
