import { rm } from 'node:fs/promises';
import type { DatabaseSync } from 'node:sqlite';
import { loadSqlite } from '../../../util/load-sqlite.ts';
import { type Database, type Dialect, PIECE } from './database.ts';
import { takeSnapshot } from './snapshot.ts';
import { sqliteError } from './sqlite-errors.ts';

const SAFE = `BETWEEN ${Number.MIN_SAFE_INTEGER} AND ${Number.MAX_SAFE_INTEGER}`;

/** SQLite's SQL. Its texts are compared byte by byte; JSON is text. */
export const SQLITE: Dialect = {
  name: 'sqlite',
  integer: (column) => `CASE WHEN ${column} ${SAFE} THEN ${column} ELSE CAST(${column} AS TEXT) END`,
  json: (column) => `CAST(${column} AS TEXT)`,
  bytes: (column) => column,
  sortsBytes: true,
  columns:
    'SELECT tables.name AS "table", columns.name AS "column", columns.type AS "type"' +
    ' FROM sqlite_schema AS tables, pragma_table_info(tables.name) AS columns' +
    " WHERE tables.type = 'table'",
  checksLengths: false,
};

/**
 * Opens a SQLite file in a snapshot, see {@link takeSnapshot}. Nothing is ever written to it or beside it. Throws CORRUPT,
 * DENIED, NO_SPACE, UNAVAILABLE when another process locks it for too long.
 */
export async function openSqlite(path: string, tempDir: string): Promise<Database> {
  const snapshot = await takeSnapshot(path, tempDir);
  const guarded = <T>(act: () => T): T => {
    try {
      return act();
    } catch (error) {
      throw sqliteError(error, path);
    }
  };
  const database = guarded(() => open(snapshot));
  return {
    dialect: SQLITE,
    rows: async (sql, parameters = []) => guarded(() => database.prepare(sql).all(...parameters)),
    async *stream(sql, parameters = []) {
      const rows = guarded(() => {
        const statement = database.prepare(sql);
        statement.setReturnArrays(true);
        return statement.iterate(...parameters);
      });
      let piece: unknown[][] = [];
      for (;;) {
        const next = guarded(() => rows.next());
        if (next.done === true) break;
        // With setReturnArrays a row is a list, which the types of Node do not know.
        const row: unknown = next.value;
        piece.push(Array.isArray(row) ? row : []);
        if (piece.length < PIECE) continue;
        yield piece;
        piece = [];
      }
      if (piece.length > 0) yield piece;
    },
    async close() {
      database.close();
      if (snapshot.isCopy) await rm(snapshot.path, { force: true });
    },
  };
}

function open({ path, isCopy }: { path: string; isCopy: boolean }): DatabaseSync {
  const { DatabaseSync: Sqlite } = loadSqlite();
  const database = new Sqlite(path, { readOnly: !isCopy });
  try {
    // What is in the schema of a file from elsewhere calls nothing that could do harm.
    database.exec('PRAGMA trusted_schema = OFF');
    if (isCopy) {
      database.exec('PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF');
      indexByRun(database);
      database.exec('PRAGMA query_only = ON');
    }
    database.exec('BEGIN');
    database.prepare('SELECT count(*) FROM sqlite_schema').get();
    return database;
  } catch (error) {
    database.close();
    throw error;
  }
}

/** Before 1.25 MLflow had no index by run: every run would be a walk through all of them (revision bd07f7e963c5). */
function indexByRun(copy: DatabaseSync): void {
  const lacking = copy.prepare(
    'SELECT tables.name FROM sqlite_schema AS tables, pragma_table_info(tables.name) AS columns' +
      " WHERE tables.type = 'table' AND columns.name = 'run_uuid'" +
      " AND tables.name IN ('metrics', 'latest_metrics', 'params', 'tags')" +
      ' AND NOT EXISTS (SELECT 1 FROM pragma_index_list(tables.name) AS indexes, pragma_index_info(indexes.name) AS of' +
      " WHERE of.seqno = 0 AND of.name = 'run_uuid')",
  );
  for (const { name } of lacking.all())
    copy.exec(`CREATE INDEX "mlferry_${String(name)}_by_run" ON "${String(name)}" (run_uuid)`);
}
