import { join } from 'node:path';
import type { SQLInputValue, StatementSync } from 'node:sqlite';
import type { Int64 } from '../model/int64.ts';
import { loadSqlite } from '../util/load-sqlite.ts';

/** A record with what it is looked up by. */
export interface Row {
  readonly id: string;
  /** What it lives in: an experiment, a registered model. Empty where it lives in none. */
  readonly parent: string;
  /** `active` or `deleted`, of runs. */
  readonly stage?: string;
  /** ms since the epoch, of runs. */
  readonly start?: Int64 | null;
  /** JSON. */
  readonly record: string;
}

/** Records of a place in a file of SQLite, so that memory does not grow with them. */
export interface RecordTable {
  /** Takes over the records of a kind, all of them or those of one parent: what was there before is replaced when all have come. */
  replace(kind: string, parent: string | undefined, rows: AsyncIterable<Row>): Promise<void>;
  get(kind: string, id: string): string | undefined;
  /** All records of a kind, or those within these, by id. */
  each(kind: string, parents?: readonly string[]): Iterable<string>;
  /** Ids of runs within these, the latest start first, those without one last, then by id: MLflow's order. */
  latestFirst(kind: string, parents: readonly string[], stages: readonly string[]): string[];
  /** Grows with each {@link replace}. */
  pass(): number;
  close(): void;
}

const TABLE = `
  PRAGMA journal_mode = OFF;
  PRAGMA synchronous = OFF;
  PRAGMA locking_mode = EXCLUSIVE;
  CREATE TABLE records (
    kind TEXT NOT NULL, id TEXT NOT NULL, parent TEXT NOT NULL, stage TEXT, start INTEGER, pass INTEGER NOT NULL,
    record TEXT NOT NULL, PRIMARY KEY (kind, id));
  CREATE INDEX by_parent ON records (kind, parent, stage, start, id);`;

const within = (parents: readonly unknown[]) => `parent IN (${parents.map(() => '?').join(', ')})`;

/** Makes an empty table in a directory for spool files. */
export function createRecordTable(tempDir: string): RecordTable {
  const { DatabaseSync } = loadSqlite();
  const database = new DatabaseSync(join(tempDir, 'records.sqlite'));
  database.exec(TABLE);
  const put = database.prepare(
    'INSERT OR REPLACE INTO records (kind, id, parent, stage, start, pass, record) VALUES (?, ?, ?, ?, ?, ?, ?)',
  );
  const one = database.prepare('SELECT record FROM records WHERE kind = ? AND id = ?');
  let pass = 0;

  const all = (sql: string, column: string, values: readonly SQLInputValue[]) =>
    texts(database.prepare(sql), column, values);

  return {
    async replace(kind, parent, rows) {
      pass += 1;
      const own = pass;
      for await (const { id, parent: within, stage = null, start = null, record } of rows)
        put.run(kind, id, within, stage, typeof start === 'string' ? BigInt(start) : start, own, record);
      const [scope, values] = parent === undefined ? ['', []] : [' AND parent = ?', [parent]];
      database.prepare(`DELETE FROM records WHERE kind = ? AND pass < ?${scope}`).run(kind, own, ...values);
    },
    get(kind, id) {
      const record = one.get(kind, id)?.record;
      return typeof record === 'string' ? record : undefined;
    },
    each: (kind, parents) =>
      parents === undefined
        ? all('SELECT record FROM records WHERE kind = ? ORDER BY id', 'record', [kind])
        : all(`SELECT record FROM records WHERE kind = ? AND ${within(parents)} ORDER BY id`, 'record', [
            kind,
            ...parents,
          ]),
    latestFirst: (kind, parents, stages) => [
      ...all(
        `SELECT id FROM records WHERE kind = ? AND ${within(parents)}
         AND stage IN (${stages.map(() => '?').join(', ')}) ORDER BY start IS NULL, start DESC, id`,
        'id',
        [kind, ...parents, ...stages],
      ),
    ],
    pass: () => pass,
    close: () => database.close(),
  };
}

function* texts(
  statement: StatementSync,
  column: string,
  values: readonly SQLInputValue[],
): Generator<string> {
  for (const row of statement.iterate(...values)) {
    const text = row[column];
    if (typeof text === 'string') yield text;
  }
}
