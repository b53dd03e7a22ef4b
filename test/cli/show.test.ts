import { chmod, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { z } from 'zod';
import { openWriter } from '../../src/places/open.ts';
import { makeExperiment, makeRun, testOptions, writeWorkspace } from '../places/memory-workspace.ts';
import { mlferry } from './mlferry.ts';
import { newStore } from './registered-store.ts';

const SAMPLES = 'samples/mlruns';
const GRID = 'f3f49249dc284f90a5aec7978306d03b';
/** Turns text round, moves the cursor up, and begins a line. */
const EVIL = 'gpj\u202efdp \u001b[1A\u2028';
const COMMIT = '5f3b1c0a9d8e7f6a5b4c3d2e1f0a9b8c7d6e5f4a';
const id = (digit: string) => digit.repeat(32);

let directory = '';
let file = '';
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'mlferry-show-'));
  file = join(directory, 'a.ndjson');
  const source = {
    'mlflow.source.type': 'PROJECT',
    'mlflow.source.name': 'https://me:secret@github.com/team/churn#train',
    'mlflow.source.git.commit': COMMIT,
    'mlflow.note.content': `# Why\n\n- it is *better*\n${EVIL}`,
  };
  const below = (parent: string) => ({ 'mlflow.parentRunId': id(parent) });
  const runs = [
    await makeRun(
      { run_id: id('1'), run_name: 'top', tags: { ...source, 'mlflow.parentRunId': id('4') } },
      [
        [
          'loss',
          [
            [0, 1, 3],
            [1, 2, 'NaN'],
            [2, 3, 1],
            [3, 4, 2],
          ],
        ],
      ],
      [[`${EVIL}.txt`, Buffer.from('12345')]],
    ),
    await makeRun({ run_id: id('2'), run_name: 'child', tags: below('1') }),
    await makeRun({ run_id: id('3'), run_name: 'grandchild', tags: below('2'), lifecycle_stage: 'deleted' }),
    // Runs that are each other's parents.
    await makeRun({ run_id: id('4'), run_name: 'cycle', tags: below('1') }),
  ];
  const workspace = [{ experiment: makeExperiment({ tags: { 'mlflow.note.content': 'About it' } }), runs }];
  await writeWorkspace(workspace, await openWriter(file, testOptions(directory).options));
});
afterAll(() => rm(directory, { recursive: true, force: true }));

const show = (...args: string[]) => mlferry(['show', ...args], join(directory, 'state'));
const view = async (...args: string[]) => {
  const { out, status } = await show(...args, '--json');
  expect(status).toBe(0);
  return z.record(z.string(), z.unknown()).parse(JSON.parse(out));
};

describe('show', () => {
  it('tells all of a run, the same of a directory, an archive and a stream', async () => {
    const views = await Promise.all(
      [SAMPLES, 'samples/backup.tar', 'samples/runs.ndjson'].map((place) => view(place, GRID)),
    );
    const [first, ...others] = views.map(({ place: _, artifacts: __, run, ...rest }) => ({
      ...rest,
      run: { ...z.looseObject({}).parse(run), artifact_uri: '' },
    }));
    expect(others).toEqual([first, first]);
    expect(first).toMatchObject({
      experiment: { name: 'diabetes-elasticnet' },
      duration: 760_000,
      source: { type: 'LOCAL', name: 'train.py' },
      metrics: [{ key: 'best_rmse', count: 1 }],
      family: { parents: [], children: [{}, {}, {}, {}] },
    });
  });

  it('prints metrics with their extremes and history, the note, the tree, the source with the page of its commit', async () => {
    const { out } = await show(file, '111');
    expect(out).toMatch(/loss +2 +3 +1 +3 +4 +\S/);
    expect(out).toContain(`https://github.com/team/churn/tree/${COMMIT}/train`);
    expect(out).toContain('  # Why\n\n  - it is *better*\n');
    expect(out).toMatch(/- cycle .*\n {4}\* top .*\n {6}- child .*\n {8}- grandchild .*deleted/);
    expect(out).not.toContain('\u202e');
    expect(out).not.toContain('\u001b');
    expect(out).not.toContain('secret@');
  });

  it('shows an experiment, also the one that an address of a page names, and a registered model', async () => {
    expect(await view(file, '-e', 'an experiment')).toMatchObject({
      note: 'About it',
      runs: 3,
      deleted_runs: 1,
      metrics: { loss: 1 },
    });
    expect((await show(SAMPLES, '-e', 'wine-classifier')).out).toContain(
      '4: 1 failed, 2 finished, 1 running',
    );
    const register = await newStore(join(directory, 'store'));
    await register('churn', {}, [['1', 'Production', 'champion']]);
    const { out } = await show(join(directory, 'store'), '--model', 'churn@champion');
    expect(out).toContain('Production');
  });

  it('opens the source at the very commit in the browser of BROWSER', async () => {
    const browser = join(directory, 'browser');
    await writeFile(browser, `#!/bin/sh\nprintf %s "$1" > ${directory}/opened\n`);
    await chmod(browser, 0o755);
    const { err, status } = await mlferry(['show', file, '111', '--open'], directory, {
      environment: { BROWSER: browser },
    });
    expect(status).toBe(0);
    expect(err).toContain(`Opening https://github.com/team/churn/tree/${COMMIT}/train`);
    await vi.waitFor(async () =>
      expect(await readFile(join(directory, 'opened'), 'utf8')).toBe(
        `https://github.com/team/churn/tree/${COMMIT}/train`,
      ),
    );
    const none = await show(SAMPLES, GRID, '--open');
    expect([none.status, none.err]).toEqual([6, expect.stringContaining('no source')]);
  });

  it.each([
    [['nope'], 6, 'There is no run nope'],
    [[], 2, 'Nothing says what to show'],
    [['-e', '*'], 2, 'fits 3 experiments'],
    [['-e', 'nope'], 6, 'no experiment "nope"'],
    [['--model', `m-${id('0')}`], 6, 'no logged model'],
    [[GRID, '-e', 'x'], 2, 'exclude each other'],
  ])('%j ends with %i', async (args, status, message) => {
    const ended = await show(SAMPLES, ...args);
    expect([ended.status, ended.err]).toEqual([status, expect.stringContaining(message)]);
  });
});
