import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { copyBetween } from '../../../src/copy/copy-between.ts';
import { openReader } from '../../../src/places/open.ts';
import { essenceOf } from '../../contract/copies.ts';
import { smallWorkspace, storeOf } from '../../disk/sources.ts';
import { cleanEnvironment } from '../../servers/clean-environment.ts';
import { readerOptions, readWorkspace } from '../memory-workspace.ts';
import { fillEveryKind } from './every-kind.ts';
import { makeDatabase } from './make-database.ts';

const LONG = process.env.MLFERRY_TEST_LONG === '1';
const CHILD = fileURLToPath(new URL('killed-mlferry.ts', import.meta.url));

/** More than one transaction of a run. */
const POINTS = 25_000;

const plan = z.object({ count: z.number(), statements: z.array(z.tuple([z.number(), z.string()])) });

describe('a copy into a database', () => {
  let directory: string;
  let from: string;
  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'mlferry-killed-'));
    from = await storeOf(await smallWorkspace(POINTS), join(directory, 'source'));
  });
  afterAll(() => rm(directory, { recursive: true, force: true }));

  let places = 0;
  async function newPlace(): Promise<string> {
    places += 1;
    const place = join(directory, `place${places}`);
    await mkdir(place);
    makeDatabase(join(place, 'mlflow.db')).close();
    return place;
  }

  /** Copies in a process that dies before a statement; tells how it ended. */
  async function killedAt(place: string, at: number, source = from) {
    const args = ['copy', source, `sqlite:///${place}/mlflow.db`, '--quiet', '--temp-dir', place];
    const child = spawn(process.execPath, [CHILD, String(at), join(place, 'plan.json'), ...args], {
      env: { ...cleanEnvironment(), XDG_STATE_HOME: join(place, 'state') },
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    const [stderr] = await Promise.all([text(child.stderr), once(child, 'close')]);
    return { signal: child.signalCode, status: child.exitCode, stderr };
  }

  async function contentOf(place: string) {
    const reader = await openReader(join(place, 'mlflow.db'), readerOptions(directory).options);
    const workspace = await readWorkspace(reader);
    const database = new DatabaseSync(join(place, 'mlflow.db'), { readOnly: true });
    const counts = ['runs', 'metrics', 'latest_metrics', 'params', 'experiments'].map(
      (table) => database.prepare(`SELECT count(*) AS count FROM ${table}`).get()?.count,
    );
    database.close();
    const files = await readdir(join(place, 'mlartifacts'), { recursive: true });
    return {
      counts,
      essence: essenceOf(workspace),
      partial: files.filter((name) => name.includes('partial')),
      files: files.length,
    };
  }

  it('killed before any statement comes to the same end when it is run again: nothing lost, nothing twice', async () => {
    const clean = await newPlace();
    expect(await killedAt(clean, 0)).toMatchObject({ status: 0 });
    const { count, statements } = plan.parse(JSON.parse(await readFile(join(clean, 'plan.json'), 'utf8')));
    expect(count).toBeGreaterThan(3 * POINTS);
    const wanted = await contentOf(clean);
    const ends = statements.filter(([, sql]) => sql === 'COMMIT').map(([number]) => number);
    // A run of several transactions.
    expect(ends.length).toBeGreaterThan(5);
    const others = statements.map(([number]) => number).filter((_, at) => LONG || at % 29 === 7);
    const within = [0.4, 0.8].map((share) => Math.floor(share * count));
    for (const at of new Set([
      ...ends.slice(0, LONG ? undefined : 2),
      ...others.slice(0, LONG ? undefined : 3),
      ...within,
    ])) {
      const place = await newPlace();
      const where = `killed before statement ${at} of ${count}`;
      expect(await killedAt(place, at), where).toMatchObject({ signal: 'SIGKILL' });
      const { report } = await copyBetween(from, `sqlite:///${place}/mlflow.db`, {
        stateDir: join(place, 'state', 'mlferry'),
      });
      expect(report, where).toMatchObject({ exit_status: 0, losses: [], failures: [] });
      expect(await contentOf(place), where).toEqual(wanted);
      await rm(place, { recursive: true });
    }
  });

  it('of every kind, killed before any statement, comes to the same end when it is run again', async () => {
    const source = join(directory, 'every-kind.db');
    fillEveryKind(source).close();
    const clean = await newPlace();
    expect(await killedAt(clean, 0, source)).toMatchObject({ status: 0 });
    const { statements } = plan.parse(JSON.parse(await readFile(join(clean, 'plan.json'), 'utf8')));
    const wanted = everyRow(join(clean, 'mlflow.db'));
    expect(wanted.model_versions).toHaveLength(5);
    // Those of the kinds themselves: runs are tried above.
    const own = statements.filter(([, sql]) => !/"(experiments|runs|tags)"/.test(sql));
    const step = LONG ? 1 : Math.ceil(own.length / 4);
    for (const [at, sql] of own.filter((_, index) => index % step === step - 1)) {
      const place = await newPlace();
      expect(await killedAt(place, at, source), sql).toMatchObject({ signal: 'SIGKILL' });
      const { report } = await copyBetween(source, `sqlite:///${place}/mlflow.db`, {
        stateDir: join(place, 'state', 'mlferry'),
      });
      expect(report, sql).toMatchObject({ exit_status: 0, losses: [], failures: [] });
      expect(everyRow(join(place, 'mlflow.db')), sql).toEqual(wanted);
      await rm(place, { recursive: true });
    }
  });
});

/** All rows of all tables, but for ids that are made anew each time, times of now, and where a database stands. */
function everyRow(path: string): Record<string, unknown[]> {
  const database = new DatabaseSync(path, { readOnly: true });
  const tables = database.prepare("SELECT name FROM sqlite_schema WHERE type = 'table'").all();
  const rows = tables.map(({ name }): [string, unknown[]] => {
    const statement = database.prepare(`SELECT * FROM "${String(name)}"`);
    statement.setReadBigInts(true);
    const same = statement.all().map((row) => {
      const kept = Object.entries(row).flatMap(([column, cell]) =>
        NEW.has(column) ? [] : [[column, String(cell)]],
      );
      return JSON.stringify(kept).replaceAll(dirname(path), '');
    });
    return [String(name), name === 'experiments' ? (same.length ? [same.length] : []) : same.sort()];
  });
  database.close();
  return Object.fromEntries(rows);
}

const NEW = new Set(['input_uuid', 'dataset_uuid', 'association_id', 'scorer_id', 'created_time']);
