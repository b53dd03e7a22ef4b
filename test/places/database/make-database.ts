import { readFileSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';

/** Values of columns by their names. */
type Row = Readonly<Record<string, string | number | bigint | null>>;

/** A SQLite file that a test fills. */
export interface TestDatabase {
  readonly path: string;
  insert(table: string, ...rows: readonly Row[]): void;
  execute(sql: string): void;
  close(): void;
}

/** Makes an empty database with MLflow's tables, of the newest version or of 1.12. */
export function makeDatabase(
  path: string,
  revision: 'dc11669786a5' | 'a8c4a736bde6' = 'dc11669786a5',
): TestDatabase {
  const database = new DatabaseSync(path);
  database.exec('PRAGMA synchronous = OFF');
  const schema = new URL(`../../fixtures/databases/${revision}.sqlite.sql`, import.meta.url);
  database.exec(`BEGIN; ${readFileSync(schema, 'utf8')}; COMMIT`);
  return {
    path,
    insert(table, ...rows) {
      const own = !database.isTransaction;
      if (own) database.exec('BEGIN');
      for (const row of rows) {
        const names = Object.keys(row);
        const columns = names.map((name) => `"${name}"`).join(', ');
        const statement = database.prepare(
          `INSERT INTO "${table}" (${columns}) VALUES (${names.map(() => '?').join(', ')})`,
        );
        statement.run(...Object.values(row));
      }
      if (own) database.exec('COMMIT');
    },
    execute: (sql) => database.exec(sql),
    close: () => database.close(),
  };
}

/** An experiment's row. */
export const experimentRow = (fields: Row = {}): Row => ({
  experiment_id: 1,
  name: 'first',
  artifact_location: './mlruns/1',
  lifecycle_stage: 'active',
  ...fields,
});

/** A run's row. */
export const runRow = (fields: Row = {}): Row => ({
  run_uuid: 'a'.repeat(32),
  experiment_id: 1,
  name: 'a run',
  user_id: 'someone',
  status: 'FINISHED',
  start_time: 1_700_000_000_000,
  end_time: 1_700_000_001_000,
  lifecycle_stage: 'active',
  artifact_uri: `./mlruns/1/${'a'.repeat(32)}/artifacts`,
  ...fields,
});

/** A point's row. */
export const pointRow = (fields: Row = {}): Row => ({
  run_uuid: 'a'.repeat(32),
  key: 'loss',
  step: 0,
  timestamp: 1_700_000_000_000,
  value: 0.5,
  is_nan: 0,
  ...fields,
});
