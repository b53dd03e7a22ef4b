import { cp, mkdir, mkdtemp, readFile, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { copyBetween } from '../../../src/copy/copy-between.ts';
import { ALL_ACTIVE } from '../../../src/model/selection.ts';
import { openReader } from '../../../src/places/open.ts';
import { readerOptions, readWorkspace } from '../memory-workspace.ts';

const fixture = fileURLToPath(new URL('../../fixtures/export-import/2026-01/all', import.meta.url));
const RUNS = 'experiments/1/runs';
const SMALL = '1284fe58e0fd4b6a99843e240136683c';

let dir: string;
let root: string;
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'mlferry-export-'));
  root = join(dir, 'export');
  await cp(fixture, root, { recursive: true });
});
afterEach(() => rm(dir, { recursive: true, force: true }));

async function read(selection = {}) {
  const { options, losses, failures } = readerOptions(dir);
  const workspace = await readWorkspace(await openReader(root, options), {
    ...ALL_ACTIVE,
    view: 'all',
    ...selection,
  });
  return { runs: workspace.flatMap(({ runs }) => runs), losses, failures };
}

const change = async (path: string, edit: (text: string) => string) =>
  writeFile(join(root, path), edit(await readFile(join(root, path), 'utf8')));

describe('a damaged file costs its run', () => {
  it.each<[string, (text: string) => string, RegExp]>([
    ['cut off', (text) => text.slice(0, -30), /run\.json cannot be read: it ends early$/],
    ['empty', () => '', /run\.json is not what mlflow-export-import writes: it has no info$/],
    ['another object', () => '{"mlflow": {"info": {"run_id": ""}}}', /info|run_id/],
    ['a status of its own', (text) => text.replace('"FINISHED"', '"FINISHD"'), /status/],
    ['a param that is no text', (text) => text.replace('"params": {', '"params": {"x": 1,'), /run\.json/],
    [
      'a value that is none',
      (text) => text.replace(/"value": [\d.]+/, '"value": "much"'),
      /"m0", is not .*: 0\.value/,
    ],
    ['a step beyond 64 bits', (text) => text.replace(/"step": \d+/, `"step": ${2n ** 64n}`), /64-bit/],
    ['a history that is none', (text) => text.replace(/"metrics": \{\s+"\w+": \[/, '$&]'), /run\.json/],
  ])('%s', async (_name, edit, message) => {
    await change(`${RUNS}/${SMALL}/run.json`, edit);
    const { runs, failures } = await read();
    expect(runs.map(({ run }) => run.run_id)).not.toContain(SMALL);
    expect(runs).toHaveLength(8);
    expect(failures[0]).toMatchObject({
      code: 'SOURCE_ITEM',
      object: `file ${RUNS}/${SMALL}/run.json`,
      message: expect.stringMatching(message),
    });
  });

  it('and is no concern of other experiments', async () => {
    await change(`${RUNS}/${SMALL}/run.json`, () => '{');
    const { runs, failures } = await read({ experiments: ['exp_lm'] });
    expect([runs.length, failures]).toEqual([1, []]);
  });

  it('an experiment without its own file keeps its runs, without its name', async () => {
    await change('experiments/1/experiment.json', () => 'no JSON');
    const { runs, failures } = await read();
    expect(runs).toHaveLength(9);
    expect(failures.map(({ object }) => object)).toEqual(['file experiments/1/experiment.json']);
  });
});

describe('what the export itself says is missing', () => {
  it('a run that is listed and not there', async () => {
    await rm(join(root, RUNS, SMALL), { recursive: true });
    const { failures } = await read();
    expect(failures).toMatchObject([
      {
        code: 'SOURCE_ITEM',
        run_id: SMALL,
        message: expect.stringContaining('experiments/1/experiment.json lists'),
      },
    ]);
  });

  it('an experiment that is listed and not there', async () => {
    await rm(join(root, 'experiments/1'), { recursive: true });
    const { failures } = await read();
    expect(failures).toMatchObject([{ code: 'SOURCE_ITEM', object: 'experiment "exp_a"' }]);
  });

  it('runs that could not be exported', async () => {
    await change('experiments/1/experiment.json', (text) =>
      text.replace('"failed_runs": []', '"failed_runs": ["0123"]'),
    );
    const { losses } = await read();
    expect(losses).toContainEqual({
      code: 'NOT_EXPORTED',
      left_behind: true,
      experiment_name: 'exp_a',
      count: 1,
      detail: 'Runs that could not be exported, as experiments/1/experiment.json says: 0123',
    });
  });

  it('a run that could not be exported whole, of which something is there', async () => {
    await change('experiments/1/experiment.json', (text) =>
      text.replace('"failed_runs": []', `"failed_runs": ["${SMALL}"]`),
    );
    const { runs } = await read();
    const marked = runs.filter(({ run }) => run.incomplete).map(({ run }) => run.run_id);
    expect(marked).toEqual([SMALL]);
  });

  it('an export that was broken off before its lists were written', async () => {
    for (const list of ['manifest.json', 'experiments/experiments.json', 'models/models.json'])
      await rm(join(root, list));
    await rm(join(root, 'experiments/1/experiment.json'));
    const { runs } = await read();
    expect(runs).toHaveLength(9);
  });
});

describe('nothing outside of the export is read', () => {
  it('through links in place of its files and folders', async () => {
    const outside = join(dir, 'outside');
    await rename(join(root, RUNS, SMALL), outside);
    await symlink(outside, join(root, RUNS, SMALL));
    const { runs, failures } = await read();
    expect(runs.map(({ run }) => run.run_id)).not.toContain(SMALL);
    expect(failures[0]?.message).toMatch(/is left out: it is a symbolic link, which is not followed$/);
  });

  it('through links among the files of a run', async () => {
    await writeFile(join(dir, 'secret'), 'secret');
    await symlink(join(dir, 'secret'), join(root, RUNS, SMALL, 'artifacts', 'a-link'));
    const { runs, losses } = await read();
    const small = runs.find(({ run }) => run.run_id === SMALL);
    expect(small?.artifacts.map(([path]) => path)).toEqual(['a.txt']);
    expect(losses).toContainEqual(
      expect.objectContaining({ code: 'ARTIFACTS_NOT_CARRIED', run_id: SMALL, key: 'a-link' }),
    );
  });

  it('through a link in place of the folder of a run’s files', async () => {
    await mkdir(join(dir, 'files'));
    await writeFile(join(dir, 'files', 'secret'), 'secret');
    await rm(join(root, RUNS, SMALL, 'artifacts'), { recursive: true });
    await symlink(join(dir, 'files'), join(root, RUNS, SMALL, 'artifacts'));
    const { runs, losses } = await read();
    expect(runs.find(({ run }) => run.run_id === SMALL)?.artifacts).toEqual([]);
    expect(losses).toContainEqual(expect.objectContaining({ code: 'ARTIFACTS_NOT_CARRIED', run_id: SMALL }));
  });
});

it('an alias of a version that was not exported is told', async () => {
  await change('models/rm1/model.json', (text) =>
    text.replace(/("alias": "champion",\s*"version": )"10"/, '$1"99"'),
  );
  const { report } = await copyBetween(root, join(dir, 'alias.ndjson'), { stateDir: undefined });
  expect(report.losses).toContainEqual(
    expect.objectContaining({ code: 'NOT_EXPORTED', key: 'champion', detail: expect.stringContaining('99') }),
  );
  expect(report.exit_status).toBe(3);
});

it('two exports of one experiment id and two names are not mixed', async () => {
  const trace = 'tr-ea73ea83785be5ad0dc21c3a20fdad0d';
  const model = 'm-b61b7f29d781405198d437b12080dc92';
  for (const [id, foreign] of [
    [trace, `tr-${'f'.repeat(32)}`],
    [model, `m-${'f'.repeat(32)}`],
  ] as const) {
    const kind = id === trace ? 'traces' : 'logged_models';
    const file = id === trace ? 'trace.json' : 'logged_model.json';
    await mkdir(join(root, 'more/2', kind, foreign), { recursive: true });
    const text = await readFile(join(root, 'experiments/2', kind, id, file), 'utf8');
    await writeFile(join(root, 'more/2', kind, foreign, file), text.replaceAll(id, foreign));
  }
  await cp(join(root, 'experiments/2/experiment.json'), join(root, 'more/2/experiment.json'));
  await change('more/2/experiment.json', (text) => text.replace('"exp_lm"', '"another"'));
  const { report } = await copyBetween(root, join(dir, 'both.ndjson'), { stateDir: undefined });
  expect(report).toMatchObject({
    runs: { created: 9 },
    objects: { traces: { created: 2 }, logged_models: { created: 2 } },
    failures: [{ object: 'file more/2/experiment.json', hint: expect.stringContaining(join('more', '2')) }],
  });
});
