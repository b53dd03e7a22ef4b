import { existsSync } from 'node:fs';
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import pg from 'pg';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { copyBetween } from '../../../src/copy/copy-between.ts';
import { createDatabase, hasPostgresql } from '../../servers/postgresql.ts';
import { runPython } from '../../servers/run-python.ts';
import { freePort } from '../../servers/start-server.ts';
import { NEWEST_MLFLOW } from '../../servers/versions.ts';

const samples = new URL('../../../samples/mlruns', import.meta.url).pathname;
const mlflow = new URL('../../python/mlflow_command.py', import.meta.url);
const upgrade = (uri: string) => runPython(NEWEST_MLFLOW, mlflow, ['db', 'upgrade', uri]);

let directory: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'mlferry-init-'));
});
afterEach(() => rm(directory, { recursive: true, force: true }));

const oneLine = (sql: unknown) =>
  String(sql).replace(/\s+/g, ' ').replace(/\( /g, '(').replace(/ \)/g, ')').replace(/ , /g, ', ');

/** The parts of a statement, sorted: columns are compared in their order elsewhere, and MLflow gives constraints in any. */
function partsOf(sql: unknown): string[] {
  let depth = 0;
  const split = [...oneLine(sql)].map((letter) => {
    depth += Number(letter === '(') - Number(letter === ')');
    return letter === ',' && depth === 1 ? '\n' : letter;
  });
  return split
    .join('')
    .replace('(', '\n')
    .replace(/\)$/, '')
    .split('\n')
    .map((part) => part.trim())
    .sort();
}

/** All that a SQLite file is made of, and the rows of a new one. */
function schemaOfFile(path: string): unknown {
  const database = new DatabaseSync(path, { readOnly: true });
  const all = (sql: string) =>
    database
      .prepare(sql)
      .all()
      .map((row) => ({ ...row }));
  try {
    const parts = all('SELECT type, name, tbl_name, sql FROM sqlite_schema ORDER BY type, name');
    const tables = parts.filter(({ type }) => type === 'table').map(({ name }) => String(name));
    return {
      parts: parts.map((part) => ({ ...part, sql: partsOf(part.sql) })),
      columns: tables.map((name) => [name, all(`PRAGMA table_xinfo("${name}")`)]),
      keys: tables.map((name) => [name, all(`PRAGMA foreign_key_list("${name}")`)]),
      indexes: tables.map((name) => [
        name,
        all(`SELECT name, "unique", origin, partial FROM pragma_index_list('${name}') ORDER BY name`),
      ]),
      rows: ['alembic_version', 'workspaces'].map((name) => all(`SELECT * FROM "${name}"`)),
    };
  } finally {
    database.close();
  }
}

const CATALOGUE = [
  `SELECT table_name, column_name, row_number() OVER (PARTITION BY table_name ORDER BY ordinal_position), data_type, character_maximum_length, column_default, is_nullable,
     is_identity, is_generated, generation_expression FROM information_schema.columns WHERE table_schema = 'public'`,
  "SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid) FROM pg_constraint WHERE connamespace = 'public'::regnamespace",
  "SELECT tablename, indexname, indexdef FROM pg_indexes WHERE schemaname = 'public'",
  "SELECT sequencename, data_type::text, start_value, increment_by FROM pg_sequences WHERE schemaname = 'public'",
  'SELECT tgrelid::regclass::text, tgname, pg_get_triggerdef(oid) FROM pg_trigger WHERE NOT tgisinternal',
  "SELECT proname, pg_get_functiondef(oid) FROM pg_proc WHERE pronamespace = 'public'::regnamespace",
  'SELECT * FROM alembic_version',
  'SELECT * FROM workspaces',
];

async function schemaOfPostgresql(uri: string): Promise<unknown> {
  const client = new pg.Client(uri.replace('+psycopg2', ''));
  await client.connect();
  try {
    const found = [];
    for (const sql of CATALOGUE)
      found.push(
        (await client.query<unknown[]>({ text: sql, rowMode: 'array' })).rows
          .map((row) => JSON.stringify(row))
          .sort(),
      );
    return found;
  } finally {
    await client.end();
  }
}

describe('--init', () => {
  it('makes the SQLite file that MLflow itself makes, and fills it; MLflow has nothing to upgrade', async () => {
    const [ours, theirs] = [join(directory, 'ours.db'), join(directory, 'theirs.db')];
    const { report } = await copyBetween(samples, `sqlite:///${ours}`, { init: true });
    expect(report).toMatchObject({ exit_status: 0, losses: [], failures: [] });
    expect(report.runs.created).toBeGreaterThan(5);
    await upgrade(`sqlite:///${theirs}`);
    const made = schemaOfFile(ours);
    expect(made).toEqual(schemaOfFile(theirs));
    await upgrade(`sqlite:///${ours}`);
    expect(schemaOfFile(ours)).toEqual(made);
    const again = await copyBetween(samples, `sqlite:///${ours}`, { init: true });
    expect(again.report).toMatchObject({ runs: { created: 0 }, sent: { points: 0 } });
  }, 120_000);

  it('makes what MLflow makes on PostgreSQL', async ({ skip }) => {
    if (!(await hasPostgresql())) skip('PostgreSQL is neither running nor installed');
    const [ours, theirs] = [
      await createDatabase(directory, freePort),
      await createDatabase(directory, freePort),
    ];
    try {
      const options = { init: true, toArtifactsRoot: directory };
      const { report } = await copyBetween(samples, ours.uri, options);
      expect(report).toMatchObject({ exit_status: 0, failures: [] });
      await upgrade(theirs.uri);
      const made = await schemaOfPostgresql(ours.uri);
      expect(made).toEqual(await schemaOfPostgresql(theirs.uri));
      await upgrade(ours.uri);
      expect(await schemaOfPostgresql(ours.uri)).toEqual(made);
    } finally {
      await ours.drop();
      await theirs.drop();
    }
  }, 180_000);

  it('makes nothing in a dry run, and none that is not asked for', async () => {
    const to = join(directory, 'none.db');
    const dry = await copyBetween(samples, `sqlite:///${to}`, { init: true, dryRun: true });
    expect(dry.report.runs.created).toBeGreaterThan(5);
    await expect(copyBetween(samples, `sqlite:///${to}`)).rejects.toMatchObject({
      ...{ code: 'LOCATION', hint: expect.stringContaining('--init') },
    });
    expect(await readdir(directory)).toEqual([]);
  });

  it('takes an empty file, and leaves databases of others alone', async () => {
    const to = join(directory, 'empty.db');
    await writeFile(to, '');
    await expect(copyBetween(samples, `sqlite:///${to}`)).rejects.toMatchObject({ code: 'NOT_MLFLOW' });
    expect((await copyBetween(samples, `sqlite:///${to}`, { init: true })).report.exit_status).toBe(0);
    const other = new DatabaseSync(join(directory, 'other.db'));
    other.exec('CREATE TABLE mine (a)');
    other.close();
    await expect(
      copyBetween(samples, `sqlite:///${join(directory, 'other.db')}`, { init: true }),
    ).rejects.toMatchObject({ code: 'NOT_MLFLOW' });
    expect(existsSync(join(directory, 'mlartifacts'))).toBe(true);
  });
});
