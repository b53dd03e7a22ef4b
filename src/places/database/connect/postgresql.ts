import pLimit from 'p-limit';
import { toInt64 } from '../../../model/int64.ts';
import { loadPackage } from '../../../util/load-package.ts';
import { connectionError } from './connection-errors.ts';
import { type Cell, type Database, type Dialect, FIRST, inPieces, PIECE } from './database.ts';
import type { DatabaseAddress } from './database-address.ts';

/** PostgreSQL's SQL. */
export const POSTGRESQL: Dialect = {
  name: 'postgresql',
  integer: (column) => column,
  json: (column) => `CAST(${column} AS TEXT)`,
  bytes: (column) => `${column} COLLATE "C"`,
  sortsBytes: true,
  // The catalogue and not information_schema, which hides what the user may not read: that must be DENIED, not absent.
  columns:
    'SELECT c.relname AS "table", a.attname AS "column", format_type(a.atttypid, a.atttypmod) AS "type"' +
    ' FROM pg_catalog.pg_attribute a JOIN pg_catalog.pg_class c ON c.oid = a.attrelid' +
    ' JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = current_schema()' +
    " AND c.relkind IN ('r', 'p', 'v', 'm') AND a.attnum > 0 AND NOT a.attisdropped",
  checksLengths: true,
};

/** OIDs of `bigint`, and of arrays of nothing else here. */
const INT8 = 20;

/**
 * Connects to a PostgreSQL database. `setUp`: statements before any other. Throws UNAVAILABLE, DENIED, LOCATION, and UNSUPPORTED
 * without the driver.
 */
export async function connectPostgresql(address: DatabaseAddress, setUp: readonly string[] = []) {
  const { default: pg } = await loadPackage('pg', () => import('pg'));
  const { host, port, user, password, database, options, tls } = address;
  const client = new pg.Client({
    ...{ host, port, user, password, database, application_name: 'mlferry', keepAlive: true },
    ...(options === undefined ? {} : { options }),
    ...(tls === undefined ? {} : { ssl: tls }),
    types: {
      getTypeParser: (oid: number, format) => (oid === INT8 ? toInt64 : pg.types.getTypeParser(oid, format)),
    },
  });
  // What is lost while nothing is asked is told by the next query.
  client.on('error', () => undefined);
  const guarded = async <T>(act: Promise<T>): Promise<T> => {
    try {
      return await act;
    } catch (error) {
      throw connectionError(error, address);
    }
  };
  // A connection answers one question at a time; the driver leaves the waiting to others.
  const alone = pLimit(1);
  try {
    await guarded(client.connect());
    // Servers before 12 tell doubles short of their last digits unless they are asked.
    for (const sql of ['SET extra_float_digits = 3', 'SET statement_timeout = 0', ...setUp])
      await guarded(client.query(sql));
  } catch (error) {
    await client.end().catch(() => undefined);
    throw error;
  }
  return {
    /** A value that is a list is an array of the engine's. */
    query: (text: string, values: ReadonlyArray<Cell | readonly Cell[]>) =>
      alone(() => guarded(client.query<Record<string, unknown>>(text, [...values]))),
    lists: async (text: string, values: readonly Cell[]) => {
      const query = { text, values: [...values], rowMode: 'array' } as const;
      return (await alone(() => guarded(client.query<unknown[]>(query)))).rows;
    },
    close: () => client.end(),
  };
}

/** Opens a PostgreSQL database in one read-only snapshot (REPEATABLE READ). Throws as {@link connectPostgresql} does. */
export async function openPostgresql(address: DatabaseAddress): Promise<Database> {
  const { query, lists, close } = await connectPostgresql(address, [
    'SET idle_in_transaction_session_timeout = 0',
    'BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY',
  ]);
  let cursors = 0;
  return {
    dialect: POSTGRESQL,
    rows: async (sql, parameters = []) => (await query(numbered(sql), parameters)).rows,
    async *stream(sql, parameters = []) {
      const text = numbered(sql);
      const first = await lists(`${text} LIMIT ${FIRST}`, parameters);
      yield* inPieces(first);
      if (first.length < FIRST) return;
      cursors += 1;
      const name = `mlferry_${cursors}`;
      await lists(`DECLARE ${name} NO SCROLL CURSOR FOR ${text} OFFSET ${FIRST}`, parameters);
      try {
        for (;;) {
          const rows = await lists(`FETCH ${PIECE} FROM ${name}`, []);
          if (rows.length > 0) yield rows;
          if (rows.length < PIECE) return;
        }
      } finally {
        // After an error of the connection there is no cursor any more, and the error is told already.
        await lists(`CLOSE ${name}`, []).catch(() => undefined);
      }
    },
    close,
  };
}

/** `?` as PostgreSQL numbers them. */
export function numbered(sql: string): string {
  let number = 0;
  return sql.replace(/\?/g, () => {
    number += 1;
    return `$${number}`;
  });
}
