import type { Readable } from 'node:stream';
import { loadPackage } from '../../../util/load-package.ts';
import { connectionError } from './connection-errors.ts';
import {
  type Cell,
  type Database,
  type Dialect,
  FIRST,
  inPieces,
  type Parameter,
  type Row,
} from './database.ts';
import type { DatabaseAddress } from './database-address.ts';
import { createRowSpool } from './row-spool.ts';

/** MySQL's and MariaDB's SQL, with names in double quotes as the session is told. */
export const MYSQL: Dialect = {
  name: 'mysql',
  integer: (column) => column,
  json: (column) => `CAST(${column} AS CHAR)`,
  bytes: (column) => `CAST(${column} AS BINARY)`,
  sortsBytes: false,
  columns:
    'SELECT table_name AS "table", column_name AS "column", data_type AS "type" FROM information_schema.columns' +
    ' WHERE table_schema = DATABASE()',
  checksLengths: true,
  hidesTables: true,
};

const SESSION = [
  "SET SESSION sql_mode = CONCAT(@@sql_mode, ',ANSI_QUOTES')",
  'SET SESSION wait_timeout = 28800, net_write_timeout = 3600',
];

/** More rows than there can be: MySQL has no OFFSET without a LIMIT. */
const ALL = '18446744073709551615';

/**
 * Connects to a MySQL or MariaDB database. `setUp`: statements before any other. Throws UNAVAILABLE, DENIED, LOCATION, and
 * UNSUPPORTED without the driver.
 */
export async function connectMysql(address: DatabaseAddress, setUp: readonly string[]) {
  const { createConnection } = await loadPackage('mysql2', () => import('mysql2'));
  const guarded = async <T>(act: Promise<T>): Promise<T> => {
    try {
      return await act;
    } catch (error) {
      throw connectionError(error, address);
    }
  };
  const { host, port, user, password, database, tls } = address;
  const session = createConnection({
    ...(host.startsWith('/') ? { socketPath: host } : { host, port }),
    ...{ database, supportBigNumbers: true, jsonStrings: true, enableKeepAlive: true },
    ...(user === undefined ? {} : { user }),
    ...(password === undefined ? {} : { password }),
    ...(tls === undefined ? {} : { ssl: tls }),
  });
  // What is lost while nothing is asked is told by the next query.
  session.on('error', () => undefined);
  const connection = session.promise();
  try {
    await guarded(connection.connect());
    for (const sql of [...SESSION, ...setUp]) await guarded(connection.query(sql));
  } catch (error) {
    session.destroy();
    throw error;
  }
  return {
    session,
    guarded,
    rows: async (sql: string, parameters: readonly Parameter[] = []): Promise<readonly Row[]> => {
      const [rows] = await guarded(connection.execute(sql, [...parameters]));
      return Array.isArray(rows) ? rows.map((row) => ({ ...row })) : [];
    },
    lists: async (sql: string, parameters: readonly Parameter[]): Promise<unknown[][]> => {
      const [rows] = await guarded(connection.execute({ sql, rowsAsArray: true }, [...parameters]));
      return Array.isArray(rows) ? rows.filter((row) => Array.isArray(row)) : [];
    },
    change: async (sql: string, cells: readonly Cell[] = []): Promise<number> => {
      // What begins and ends transactions cannot be prepared.
      const asked = cells.length === 0 ? connection.query(sql) : connection.execute(sql, [...cells]);
      const [result] = await guarded(asked);
      return 'affectedRows' in result ? result.affectedRows : 0;
    },
    close: () => connection.end(),
  };
}

/**
 * Opens a MySQL or MariaDB database in one read-only snapshot. Throws as {@link connectMysql} does. A connection gives one
 * result at a time, so that long ones are put aside in `tempDir`: others need not wait for their readers.
 */
export async function openMysql(address: DatabaseAddress, tempDir: string): Promise<Database> {
  const { session, guarded, rows, lists, close } = await connectMysql(address, [
    'SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ',
    'START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY',
  ]);
  return {
    dialect: MYSQL,
    rows,
    async *stream(sql, parameters = []) {
      const first = await lists(`${sql} LIMIT ${FIRST}`, parameters);
      yield* inPieces(first);
      if (first.length < FIRST) return;
      const spool = createRowSpool(tempDir);
      try {
        // The driver tells a lost connection to the connection alone: the stream would wait for ever.
        let loss: Error | undefined;
        let rest: Readable | undefined;
        const lost = (error: Error) => {
          loss = error;
          rest?.destroy(error);
        };
        session.once('error', lost);
        try {
          rest = session
            .execute({ sql: `${sql} LIMIT ${ALL} OFFSET ${FIRST}`, rowsAsArray: true }, [...parameters])
            .stream();
          if (loss !== undefined) rest.destroy(loss);
          await guarded(spool.fill(rest));
        } finally {
          session.off('error', lost);
        }
        yield* spool.pieces();
      } finally {
        await spool.remove();
      }
    },
    close,
  };
}
