import { cp, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { mlferry } from '../cli/mlferry.ts';
import { ENGINES, type ServerTestDatabase } from '../places/database/database-servers.ts';

const DIABETES = '327069844578935833';

const deletion = z.looseObject({
  total: z.int(),
  changed: z.int(),
  notes: z.array(z.string()),
  undo_file: z.string().optional(),
});
const reportSchema = z.looseObject({ exit_status: z.int(), mirror: deletion });
const listed = z.array(
  z.looseObject({ run_id: z.string(), experiment_id: z.string(), lifecycle_stage: z.string() }),
);

let directory: string;
let source: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'mlferry-mirror-'));
  source = join(directory, 'mlruns');
  await cp('samples/mlruns', source, { recursive: true });
});
afterEach(() => rm(directory, { recursive: true, force: true }));

const postgresql = ENGINES.find(({ name }) => name === 'PostgreSQL');

describe.each(['SQLite', 'PostgreSQL'])('--mirror into a database on %s', (engine) => {
  let database: ServerTestDatabase | undefined;
  let target = '';
  beforeEach(async ({ skip }) => {
    target = `sqlite:///${directory}/mlflow.db`;
    if (engine === 'SQLite') return;
    if (postgresql === undefined || !(await postgresql.isThere()))
      skip('PostgreSQL is neither running nor installed');
    database = await postgresql?.make();
    target = database?.uri ?? '';
  }, 60_000);
  afterEach(async () => {
    await database?.drop();
    database = undefined;
  });

  const run = (...args: string[]) => mlferry(args, join(directory, 'state'));
  const mirror = async (...more: string[]) => {
    const root = ['--to-artifacts-root', directory];
    const { out, err } = await run(
      'copy',
      source,
      target,
      '--init',
      '--mirror',
      '--yes',
      '--json',
      ...root,
      ...more,
    );
    expect(err).not.toContain('error');
    return reportSchema.parse(JSON.parse(out));
  };
  const stages = async () => {
    const { out } = await run('runs', 'list', target, '--view', 'all', '--json');
    return new Map(listed.parse(JSON.parse(out)).map((each) => [each.run_id, each.lifecycle_stage]));
  };

  it('deletes softly what the source no longer has, keeps what was changed, and undoes it', async () => {
    expect(await mirror()).toMatchObject({ exit_status: 0, mirror: { total: 0 } });
    const { out } = await run('runs', 'list', source, '-e', DIABETES, '--json');
    const ids = listed.parse(JSON.parse(out)).map(({ run_id }) => run_id);
    const [changed = '', gone = ''] = ids;
    await run('runs', 'tag', target, 'mine=yes', '--run', changed, '--yes');
    for (const id of [gone, changed]) await rm(join(source, DIABETES, id), { recursive: true });

    expect((await mirror('--dry-run')).mirror).toMatchObject({ total: 1 });
    const { mirror: done } = await mirror();
    expect(done).toMatchObject({ total: 1, changed: 1 });
    expect(done.notes.join()).toContain(`run ${changed}`);
    expect((await stages()).get(gone)).toBe('deleted');
    expect((await stages()).get(changed)).toBe('active');
    expect((await mirror()).mirror).toMatchObject({ total: 0 });

    await run('runs', 'restore', target, '--from-undo', done.undo_file ?? '', '--yes');
    expect((await stages()).get(gone)).toBe('active');
    await mirror();
    // The source has it again.
    await cp(join('samples/mlruns', DIABETES, gone), join(source, DIABETES, gone), { recursive: true });
    await mirror();
    expect((await stages()).get(gone)).toBe('active');
  });
});
