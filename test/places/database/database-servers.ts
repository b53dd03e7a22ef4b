import { readFileSync } from 'node:fs';
import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createConnection } from 'mysql2/promise';
import pg from 'pg';
import { createMariadb, hasMariadb } from '../../servers/mariadb.ts';
import { createDatabase, type Database, hasPostgresql } from '../../servers/postgresql.ts';
import { freePort } from '../../servers/start-server.ts';

type Rows = ReadonlyArray<Readonly<Record<string, unknown>>>;

/** A database of a test's own on a database server, with MLflow's tables and nothing in them. */
export interface ServerTestDatabase {
  readonly uri: string;
  insert(table: string, rows: Rows): Promise<void>;
  execute(sql: string): Promise<void>;
  /** Ends all other connections to it. */
  disconnectOthers(): Promise<void>;
  drop(): Promise<void>;
}

/** What makes one, and whether there is a server for it. */
export interface Engine {
  readonly name: string;
  isThere(): Promise<boolean>;
  make(): Promise<ServerTestDatabase>;
}

const schemaOf = (engine: string) =>
  readFileSync(new URL(`../../fixtures/databases/dc11669786a5.${engine}.sql`, import.meta.url), 'utf8');

/** Rows in one statement. */
const TOGETHER = 1000;

function* statements(table: string, rows: Rows) {
  for (let at = 0; at < rows.length; at += TOGETHER) {
    const some = rows.slice(at, at + TOGETHER);
    const names = Object.keys(some[0] ?? {});
    const columns = names.map((name) => `"${name}"`).join(', ');
    yield {
      sql: `INSERT INTO "${table}" (${columns}) VALUES `,
      rows: some.map((row) => names.map((name) => row[name])),
    };
  }
}

/** A database, with a directory for a server of its own where none runs. */
async function makeIn(
  create: (directory: string, port: () => Promise<number>) => Promise<Database>,
): Promise<Database> {
  const directory = await mkdtemp(join(tmpdir(), 'mlferry-database-'));
  // PostgreSQL runs as nobody.
  await chmod(directory, 0o711);
  const database = await create(directory, freePort);
  return {
    ...database,
    async drop() {
      await database.drop();
      await rm(directory, { recursive: true, force: true, maxRetries: 10 });
    },
  };
}

async function makePostgresql(): Promise<ServerTestDatabase> {
  const database = await makeIn(createDatabase);
  const client = new pg.Client(database.uri.replace('+psycopg2', ''));
  client.on('error', () => undefined);
  await client.connect();
  await client.query(schemaOf('postgresql'));
  return {
    uri: database.uri,
    async insert(table, rows) {
      for (const { sql, rows: some } of statements(table, rows)) {
        let number = 0;
        const values = some.map((row) => `(${row.map(() => `$${++number}`).join(', ')})`);
        await client.query(sql + values.join(', '), some.flat());
      }
    },
    execute: async (sql) => {
      await client.query(sql);
    },
    async disconnectOthers() {
      await client.query(
        'SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()',
      );
    },
    async drop() {
      await client.end();
      await database.drop();
    },
  };
}

async function makeMariadb(): Promise<ServerTestDatabase> {
  const database = await makeIn(createMariadb);
  const connection = await createConnection({
    uri: database.uri.replace('+pymysql', ''),
    multipleStatements: true,
  });
  await connection.query(schemaOf('mysql'));
  await connection.query("SET SESSION sql_mode = 'ANSI_QUOTES,NO_AUTO_VALUE_ON_ZERO'");
  return {
    uri: database.uri,
    async insert(table, rows) {
      for (const { sql, rows: some } of statements(table, rows)) await connection.query(`${sql}?`, [some]);
    },
    execute: async (sql) => {
      await connection.query(sql);
    },
    async disconnectOthers() {
      const [others] = await connection.query(
        'SELECT id FROM information_schema.processlist WHERE db = DATABASE() AND id <> CONNECTION_ID()',
      );
      for (const other of Array.isArray(others) ? others : [])
        await connection.query(`KILL ${'id' in other ? Number(other.id) : 0}`);
    },
    async drop() {
      await connection.end();
      await database.drop();
    },
  };
}

/** The engines besides SQLite that MLflow runs on. */
export const ENGINES: readonly Engine[] = [
  { name: 'PostgreSQL', isThere: hasPostgresql, make: makePostgresql },
  { name: 'MariaDB', isThere: hasMariadb, make: makeMariadb },
];
