import { type Cell, type InsertedTable, insertInto, onConflict, type WritableDatabase } from './database.ts';
import type { DatabaseAddress } from './database-address.ts';
import { connectPostgresql, numbered, POSTGRESQL } from './postgresql.ts';

/** The most values in one statement: the protocol has 16 bits for their number. */
const MOST_VALUES = 60_000;

/** Opens a PostgreSQL database for writing. Throws as {@link connectPostgresql} does. */
export async function openPostgresqlToWrite(address: DatabaseAddress): Promise<WritableDatabase> {
  const { query, close } = await connectPostgresql(address);
  const change = async (sql: string, cells: readonly Cell[] = []) =>
    (await query(numbered(sql), cells)).rowCount ?? 0;
  const rows: WritableDatabase['rows'] = async (sql, parameters = []) =>
    (await query(numbered(sql), parameters)).rows;
  const insertSome = (into: InsertedTable, some: ReadonlyArray<readonly Cell[]>) => {
    const values = `(${into.columns.map(() => '?').join(', ')})`;
    const all = some.map(() => values).join(', ');
    return change(insertInto(into) + all + onConflict(into.key), some.flat());
  };
  return {
    dialect: POSTGRESQL,
    greatestId: '2147483647',
    renumber:
      "SELECT setval(pg_get_serial_sequence('experiments', 'experiment_id'), GREATEST((SELECT max(experiment_id) FROM experiments), 1))",
    rows,
    async *stream(sql, parameters) {
      const all = await rows(sql, parameters);
      if (all.length > 0) yield all.map((row) => Object.values(row));
    },
    change,
    async insert(into, all) {
      const together = Math.floor(MOST_VALUES / into.columns.length);
      let inserted = 0;
      for (let at = 0; at < all.length; at += together)
        inserted += await insertSome(into, all.slice(at, at + together));
      return inserted;
    },
    begin: async () => void (await change('BEGIN')),
    commit: async () => void (await change('COMMIT')),
    rollback: async () => void (await change('ROLLBACK')),
    close,
  };
}
