import { cp, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { mlferry } from '../cli/mlferry.ts';

const [WINE, DIABETES] = ['138509036289544675', '327069844578935833'];
const RUN_ID = /^[0-9a-f]{32}$/;

let directory: string;
let source: string;
let target: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'mlferry-mirror-'));
  source = join(directory, 'source', 'mlruns');
  target = join(directory, 'target', 'mlruns');
  await mkdir(join(directory, 'target'));
  await cp('samples/mlruns', source, { recursive: true });
});
afterEach(() => rm(directory, { recursive: true, force: true }));

const deletion = z.looseObject({
  total: z.int(),
  changed: z.int(),
  failed: z.int(),
  notes: z.array(z.string()),
  failures: z.array(z.looseObject({ code: z.string(), message: z.string() })),
  undo_file: z.string().optional(),
  exit_status: z.int(),
});
const reportSchema = z.looseObject({
  exit_status: z.int(),
  mirror: deletion.optional(),
  verification: z.looseObject({ exit_status: z.int() }).optional(),
});

const run = (args: readonly string[], answer?: string) =>
  mlferry(args, join(directory, 'state'), answer === undefined ? {} : { answer });

async function copy(...args: string[]) {
  const { out, err } = await run(['copy', source, target, '--json', ...args]);
  expect(err).not.toContain('error BUG');
  return reportSchema.parse(JSON.parse(out));
}
async function mirror(...args: string[]) {
  const report = await copy('--mirror', '--yes', ...args);
  return { ...deletion.parse(report.mirror), report };
}

const runsOf = async (experiment: string) =>
  (await readdir(join(source, experiment))).filter((name) => RUN_ID.test(name)).sort();

/** Active runs of the target: source id → its directory. */
async function copies(stage = 'active'): Promise<Map<string, string>> {
  const found = new Map<string, string>();
  for (const experiment of await readdir(target)) {
    const names = await readdir(join(target, experiment)).catch(() => []);
    for (const name of names.filter((text) => RUN_ID.test(text))) {
      const own = join(target, experiment, name);
      const origin = await readFile(join(own, 'tags', 'mlferry.origin'), 'utf8').catch(() => name);
      const isActive = /lifecycle_stage: "?active/.test(await readFile(join(own, 'meta.yaml'), 'utf8'));
      if (isActive === (stage === 'active')) found.set(origin.slice(origin.lastIndexOf('/') + 1), own);
    }
  }
  return found;
}

const remove = (experiment: string, run_id: string) =>
  rm(join(source, experiment, run_id), { recursive: true });

describe('--mirror', () => {
  it('deletes softly what the source no longer has, shows it, undoes it, and does nothing the second time', async () => {
    await copy();
    const all = await copies();
    const [one = '', two = ''] = await runsOf(DIABETES);
    await remove(DIABETES, one);
    await remove(DIABETES, two);

    const planned = await mirror('--dry-run');
    expect(planned).toMatchObject({ total: 2, changed: 0, failures: [], exit_status: 0 });
    expect(await copies()).toEqual(all);
    expect((await run(['verify', source, target])).status).toBe(4);

    const done = await mirror('--verify');
    expect(done).toMatchObject({ total: 2, changed: 2, failed: 0, notes: [], exit_status: 0 });
    expect(done.report.verification).toMatchObject({ exit_status: 0 });
    const left = new Map([...all].filter(([id]) => id !== one && id !== two));
    expect(await copies()).toEqual(left);
    expect(new Set((await copies('deleted')).keys())).toEqual(new Set([one, two]));
    expect(await mirror()).toMatchObject({ total: 0, changed: 0, exit_status: 0 });

    const undo = ['runs', 'restore', target, '--from-undo', done.undo_file ?? '', '--yes'];
    expect((await run(undo)).status).toBe(0);
    expect(await copies()).toEqual(all);
    const extra = await run(['verify', source, target, '--mirror']);
    expect(extra.status).toBe(4);
    expect(extra.out).toContain(`a copy of run ${one}, which the source does not have`);
  });

  it('asks, and refuses without a terminal before anything is read', async () => {
    await copy();
    const [one = ''] = await runsOf(DIABETES);
    await remove(DIABETES, one);
    const args = ['copy', source, target, '--mirror'];
    expect(await run(args)).toMatchObject({
      status: 2,
      err: expect.stringMatching(/^error USAGE: There is no terminal/),
    });
    const no = await run(args, 'n\n');
    expect(no.err).toMatch(/Delete 1 run at .*\n.*diabetes-elasticnet.*\nGo on\? \[y\/N\] /);
    expect(no.status).toBe(130);
    expect(await copies('deleted')).toEqual(new Map());
    const yes = await run(args, 'y\n');
    expect(yes.err).toMatch(/Deleted 1 run\.\nUndo: mlferry runs restore /);
    expect(yes.status).toBe(0);
    expect([...(await copies('deleted')).keys()]).toEqual([one]);
  });

  it('deletes copies of runs that the source deleted, which come back with them', async () => {
    await copy();
    const [one = ''] = await runsOf(DIABETES);
    await run(['runs', 'delete', source, '--run', one, '--yes']);
    // Without it they stay, as ever.
    await copy();
    expect(await copies('deleted')).toEqual(new Map());
    expect((await run(['verify', source, target])).status).toBe(0);
    expect((await run(['verify', source, target, '--mirror'])).out).toContain('which the source has deleted');
    expect(await mirror('--verify')).toMatchObject({ total: 1, changed: 1, exit_status: 0 });
    expect([...(await copies('deleted')).keys()]).toEqual([one]);
    await run(['runs', 'restore', source, '--run', one, '--yes']);
    const back = await mirror('--verify');
    expect(back.report.verification).toMatchObject({ exit_status: 0 });
    expect(await copies('deleted')).toEqual(new Map());
  });

  it('leaves what people of the target made, changed, or put below a copy', async () => {
    await copy();
    const all = await copies();
    const gone = await runsOf(DIABETES);
    // "grid search" has the others below it.
    const top = 'f3f49249dc284f90a5aec7978306d03b';
    const [tagged = '', renamed = '', above = '', plain = ''] = gone.filter((id) => id !== top);
    const own = async (id: string) => (all.get(id) ?? '').split('/').at(-1) ?? '';
    await run(['runs', 'tag', target, 'reviewed=yes', '--run', await own(tagged), '--yes']);
    await run(['runs', 'rename', target, await own(renamed), 'mine', '--yes']);
    // A run of their own, below a copy.
    const child = '0123456789abcdef0123456789abcdef';
    const made = join(all.get(plain) ?? '', '..', child);
    await cp(all.get(above) ?? '', made, { recursive: true });
    await rm(join(made, 'tags', 'mlferry.origin'));
    await writeFile(join(made, 'tags', 'mlflow.parentRunId'), await own(above));
    const meta = await readFile(join(made, 'meta.yaml'), 'utf8');
    await writeFile(join(made, 'meta.yaml'), meta.replaceAll(await own(above), child));
    for (const id of gone) await remove(DIABETES, id);

    const done = await mirror();
    expect(done).toMatchObject({ failed: 0, exit_status: 0, changed: gone.length - 4 });
    expect(done.notes).toHaveLength(4);
    expect(done.notes.join('\n')).toContain(`run ${child} below it is the target's own`);
    const deleted = new Set((await copies('deleted')).keys());
    expect(deleted).toEqual(new Set(gone.filter((id) => ![tagged, renamed, above, top].includes(id))));
    expect((await run(['verify', source, target, '--mirror'])).status).toBe(4);
  });

  it('deletes nothing where the source cannot be read whole, or has nothing left', async () => {
    await copy();
    const all = await copies();
    const [one = '', two = ''] = await runsOf(DIABETES);
    await remove(DIABETES, one);
    // A run that cannot be read is no run that is gone.
    await writeFile(join(source, DIABETES, two, 'meta.yaml'), 'run_id: [');
    const damaged = await mirror();
    expect(damaged).toMatchObject({ total: 0, changed: 0, exit_status: 3 });
    expect(damaged.failures.map(({ code }) => code)).toEqual(['REFUSED']);
    expect(damaged.failures[0]?.message).toContain('could not be read whole');
    for (const experiment of await readdir(source))
      for (const id of await runsOf(experiment)) await remove(experiment, id);
    const empty = await mirror();
    expect(empty.failures.map(({ message }) => message)).toEqual([
      'The source has no run at all in these experiments',
    ]);
    await rm(join(source, DIABETES), { recursive: true });
    expect(await mirror('-e', DIABETES)).toMatchObject({ total: 0, changed: 0 });
    expect(await copies()).toEqual(all);
    expect(await copies('deleted')).toEqual(new Map());
  });

  it.each([
    ['--run', 'abc'],
    ['--filter', 'metrics.rmse > 0'],
    ['--max-runs', '2'],
    ['--view', 'deleted'],
    ['--with-model-version'],
    ['--trace-filter', "status = 'OK'"],
  ])('refuses %s', async (...args: string[]) => {
    const { status, err } = await run(['copy', source, target, '--mirror', '--yes', ...args]);
    expect({ status, err }).toMatchObject({ status: 2, err: expect.stringContaining('whole experiments') });
  });

  it('goes over the selected experiments, and keeps those of other sources', async () => {
    const other = join(directory, 'other', 'mlruns');
    await cp(source, other, { recursive: true });
    // The same run ids, and so the same copies: another source has none of its own here.
    await copy();
    await run(['copy', other, join(directory, 'elsewhere', 'mlruns')]);
    const [one = ''] = await runsOf(DIABETES);
    const [wine = ''] = await runsOf(WINE);
    await remove(DIABETES, one);
    await remove(WINE, wine);
    expect(await mirror('-e', 'wine*')).toMatchObject({ total: 1, changed: 1 });
    expect([...(await copies('deleted')).keys()]).toEqual([wine]);
    expect(await mirror('--exclude-experiment', 'diabetes*')).toMatchObject({ total: 0 });
    await rm(join(source, WINE), { recursive: true });
    await cp(join(other, WINE), join(source, WINE), { recursive: true });
  });

  it('takes an archive or stream for its source, if it holds whole experiments of a source that could be read', async () => {
    await copy();
    const [one = '', two = ''] = await runsOf(DIABETES);
    await remove(DIABETES, one);
    const archive = (name: string) => join(directory, name);
    const restore = async (name: string) => {
      const verb = name.endsWith('.tar') ? 'restore' : 'import';
      const { out } = await run([verb, archive(name), target, '--mirror', '--yes', '--json']);
      return deletion.parse(reportSchema.parse(JSON.parse(out)).mirror);
    };
    await run(['backup', source, archive('some.tar'), '-f', 'metrics.rmse > 0']);
    expect((await restore('some.tar')).failures.map(({ message }) => message)).toEqual([
      'Nothing is deleted, because it holds a choice of runs',
    ]);
    await cp(join(source, DIABETES, two), join(directory, two), { recursive: true });
    await writeFile(join(source, DIABETES, two, 'meta.yaml'), 'run_id: [');
    await run(['backup', source, archive('damaged.tar')]);
    expect((await restore('damaged.tar')).failures[0]?.message).toContain('could not be read whole then');
    await rm(join(source, DIABETES, two), { recursive: true });
    await cp(join(directory, two), join(source, DIABETES, two), { recursive: true });
    expect(await copies('deleted')).toEqual(new Map());
    await run(['export', source, archive('all.ndjson')]);
    expect(await restore('all.ndjson')).toMatchObject({ total: 1, changed: 1, failures: [] });
    await run(['backup', source, archive('all.tar')]);
    expect(await restore('all.tar')).toMatchObject({ total: 0, changed: 0, failures: [] });
    expect([...(await copies('deleted')).keys()]).toEqual([one]);
    const piped = await run(['import', '-', target, '--mirror', '--yes']);
    expect(piped).toMatchObject({ status: 2, err: expect.stringContaining('pipe') });
    const file = await run(['copy', source, archive('b.tar'), '--mirror', '--yes']);
    expect(file).toMatchObject({ status: 2, err: expect.stringContaining('cannot be changed in place') });
  });
});
