import type { DatabaseSync, StatementSync } from 'node:sqlite';
import { setTimeout as wait } from 'node:timers/promises';
import { MlferryError } from '../../../util/errors.ts';
import { loadSqlite } from '../../../util/load-sqlite.ts';
import { type Cell, inPieces, insertInto, onConflict, type WritableDatabase } from './database.ts';
import { SQLITE } from './sqlite.ts';
import { BUSY, sqliteCode, sqliteError } from './sqlite-errors.ts';

/** How long other writers may keep us waiting, ms: MLflow's own waits 20 seconds. */
const PATIENCE = 60_000;
const PAUSE = 20;

/**
 * Opens a SQLite file for writing beside whoever else has it open; its journal mode stays as it is. Throws LOCATION when it is
 * not there, and as {@link sqliteError}; UNAVAILABLE when another process holds it for a minute.
 */
export async function openSqliteToWrite(path: string): Promise<WritableDatabase> {
  const patiently = async <T>(act: () => T): Promise<T> => {
    const until = Date.now() + PATIENCE;
    for (;;) {
      try {
        return act();
      } catch (error) {
        const code = sqliteCode(error);
        if (code === undefined || (code & 0xff) !== BUSY || Date.now() > until)
          throw sqliteError(error, path);
      }
      await wait(PAUSE);
    }
  };
  const database = await patiently(() => open(path));
  const statements = new Map<string, StatementSync>();
  const prepared = (sql: string) => {
    const statement = statements.get(sql) ?? database.prepare(sql);
    statements.set(sql, statement);
    return statement;
  };
  const rows = (sql: string, parameters: readonly Cell[] = []) =>
    patiently(() => prepared(sql).all(...parameters.map(bound)));
  return {
    dialect: SQLITE,
    greatestId: '9223372036854775807',
    rows,
    async *stream(sql, parameters) {
      const all = await rows(sql, parameters);
      yield* inPieces(all.map((row) => Object.values(row)));
    },
    change: (sql, cells = []) => patiently(() => Number(prepared(sql).run(...cells.map(bound)).changes)),
    insert: (into, all) =>
      patiently(() => {
        const values = ` VALUES (${into.columns.map(() => '?').join(', ')})`;
        const statement = prepared(insertInto(into) + values + onConflict(into.key));
        let inserted = 0;
        for (const row of all) inserted += Number(statement.run(...row.map(bound)).changes);
        return inserted;
      }),
    begin: () => patiently(() => database.exec('BEGIN IMMEDIATE')),
    commit: () => patiently(() => database.exec('COMMIT')),
    async rollback() {
      // A full disk has ended it already.
      if (database.isTransaction) database.exec('ROLLBACK');
    },
    async close() {
      if (database.isOpen) database.close();
    },
  };
}

function bound(cell: Cell): string | number | null {
  return typeof cell === 'boolean' ? Number(cell) : cell;
}

function open(path: string): DatabaseSync {
  const { DatabaseSync: Sqlite } = loadSqlite();
  const database = new Sqlite(path, { enableForeignKeyConstraints: true });
  try {
    database.exec('PRAGMA trusted_schema = OFF; PRAGMA cache_size = -65536');
    database.prepare('SELECT count(*) FROM sqlite_schema').get();
    return database;
  } catch (error) {
    database.close();
    throw error;
  }
}

/** Says that a SQLite file to be written is not there. */
export function noSuchFile(path: string): MlferryError {
  return new MlferryError('LOCATION', `There is no database ${path} to write to`, {
    hint: 'To copy into it, --init makes an empty one first, as does mlflow db upgrade.',
  });
}
