import { z } from 'zod';
import { type Cell, insertInto, onConflict, type WritableDatabase } from './database.ts';
import type { DatabaseAddress } from './database-address.ts';
import { connectPostgresql, numbered, POSTGRESQL } from './postgresql.ts';

const typeRow = z.object({ name: z.string(), type: z.string() });

/** Opens a PostgreSQL database for writing. Throws as {@link connectPostgresql} does. */
export async function openPostgresqlToWrite(address: DatabaseAddress): Promise<WritableDatabase> {
  const { query, close } = await connectPostgresql(address);
  const change = async (sql: string, cells: readonly Cell[] = []) =>
    (await query(numbered(sql), cells)).rowCount ?? 0;
  const rows: WritableDatabase['rows'] = async (sql, parameters = []) =>
    (await query(numbered(sql), parameters)).rows;
  const types = new Map<string, Promise<ReadonlyMap<string, string>>>();
  const typesOf = (table: string) => {
    const known = types.get(table) ?? readTypes(table);
    types.set(table, known);
    return known;
  };
  const readTypes = async (table: string) => {
    const sql =
      'SELECT attname AS "name", format_type(atttypid, NULL) AS "type" FROM pg_catalog.pg_attribute' +
      ' WHERE attrelid = to_regclass(?) AND attnum > 0 AND NOT attisdropped';
    const found = await rows(sql, [`"${table}"`]);
    return new Map(found.map((row) => typeRow.parse(row)).map(({ name, type }) => [name, type]));
  };
  return {
    dialect: POSTGRESQL,
    greatestId: '2147483647',
    renumber:
      "SELECT setval(pg_get_serial_sequence('experiments', 'experiment_id'), GREATEST((SELECT max(experiment_id) FROM experiments), 1))",
    lockExperiments: 'LOCK TABLE "experiments" IN SHARE ROW EXCLUSIVE MODE',
    rows,
    async *stream(sql, parameters) {
      const all = await rows(sql, parameters);
      if (all.length > 0) yield all.map((row) => Object.values(row));
    },
    change,
    // Columns as arrays: thousands of rows are one statement with a handful of parameters.
    async insert(into, all) {
      if (all.length === 0) return 0;
      const known = await typesOf(into.table);
      const arrays = into.columns.map((name, at) => `$${at + 1}::${known.get(name)}[]`).join(', ');
      const sql = `${insertInto(into)} SELECT * FROM unnest(${arrays})${onConflict(into.key)}`;
      const columns = into.columns.map((_, at) => all.map((row) => row[at] ?? null));
      return (await query(sql, columns)).rowCount ?? 0;
    },
    begin: async () => void (await change('BEGIN')),
    commit: async () => void (await change('COMMIT')),
    rollback: async () => void (await change('ROLLBACK')),
    close,
  };
}
