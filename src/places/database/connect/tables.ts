import { z } from 'zod';
import { MlferryError } from '../../../util/errors.ts';
import type { Database } from './database.ts';
import { KNOWN, NEWEST, TOO_OLD, tablesAt } from './revisions.ts';

/** What tables a database has: name → column → its declared type. */
export interface Tables {
  has(table: string, column?: string): boolean;
  /** A column as a value of SELECT, see {@link columns}. */
  value(table: string, name: string): string;
  /**
   * Columns for SELECT, each under its own name: integers whole, JSON as text, NULL where this version of MLflow has no such
   * column.
   */
  columns(table: string, names: readonly string[]): string;
  /** How many characters a text column holds: not limited where the engine checks no lengths. */
  length(table: string, column: string): number;
}

/** Tables without which a database is none of MLflow's tracking. */
const NEEDED = ['experiments', 'runs', 'metrics', 'latest_metrics', 'params', 'tags'];

const columnRow = z.object({ table: z.string(), column: z.string(), type: z.string() });
const revisionRow = z.object({ version_num: z.string() });

/**
 * What MLflow made of a database: which columns there are. Throws NOT_MLFLOW for a database of something else, UNSUPPORTED for
 * one of an MLflow that is too old or not known yet.
 */
export async function readTables(database: Database, location: string): Promise<Tables> {
  const byTable = new Map<string, Map<string, string>>();
  for (const row of await database.rows(database.dialect.columns)) {
    const { table, column, type } = columnRow.parse(row);
    const columns = byTable.get(table) ?? new Map<string, string>();
    byTable.set(table, columns.set(column, type.toUpperCase()));
  }
  await mustBeKnown(database, byTable, location);
  const value = (table: string, name: string) => {
    const type = byTable.get(table)?.get(name);
    return type === undefined ? 'NULL' : read(`"${table}"."${name}"`, type, database);
  };
  return {
    has: (table, column) =>
      column === undefined ? byTable.has(table) : byTable.get(table)?.has(column) === true,
    value,
    length(table, column) {
      const type = byTable.get(table)?.get(column) ?? '';
      const length = database.dialect.checksLengths ? /CHAR.*\((\d+)\)/.exec(type)?.[1] : undefined;
      return Number(length ?? Number.POSITIVE_INFINITY);
    },
    columns: (table, names) => names.map((name) => `${value(table, name)} AS "${name}"`).join(', '),
  };
}

function read(column: string, type: string, { dialect }: Database): string {
  if (/INT/.test(type)) return dialect.integer(column);
  return /JSON/.test(type) ? dialect.json(column) : column;
}

async function mustBeKnown(
  database: Database,
  tables: ReadonlyMap<string, unknown>,
  location: string,
): Promise<void> {
  const missing = NEEDED.filter((table) => !tables.has(table));
  // Where a table that may not be read looks like one that is not there, the error of reading it tells.
  if (database.dialect.hidesTables === true && !tables.has('alembic_version')) await mustBeReadable(database);
  if (!tables.has('alembic_version') || missing.length === NEEDED.length) {
    throw new MlferryError('NOT_MLFLOW', `${location} is no database of MLflow's tracking`, {
      hint: 'MLflow keeps runs in the database that --backend-store-uri names, newer versions by default in mlflow.db.',
    });
  }
  const rows = await database.rows('SELECT "version_num" FROM "alembic_version"');
  const revisions = rows.map((row) => revisionRow.parse(row).version_num);
  const isKnown = revisions.some((revision) => KNOWN.has(revision));
  if (isKnown && database.dialect.hidesTables === true) {
    const hidden = [...NEEDED, ...tablesAt(revisions)].filter((table) => !tables.has(table));
    if (hidden.length > 0)
      throw new MlferryError('DENIED', `${location}: tables are out of reach: ${hidden.join(', ')}`, {
        hint: 'MLflow made them, and this user does not see them: it needs SELECT on all tables of the database.',
      });
  }
  if (isKnown && missing.length === 0) return;
  const upgrade = 'mlflow db upgrade URI brings it up to date; do it on a copy to keep this one as it is.';
  const said = revisions.length === 0 ? 'no revision' : `revision ${revisions.join(', ')}`;
  if (revisions.some((revision) => TOO_OLD.has(revision)))
    throw new MlferryError('UNSUPPORTED', `${location} was made by an MLflow older than 1.12 (${said})`, {
      hint: upgrade,
    });
  if (missing.length > 0)
    throw new MlferryError('UNSUPPORTED', `${location} (${said}) lacks tables: ${missing.join(', ')}`, {
      hint: upgrade,
    });
  throw new MlferryError(
    'UNSUPPORTED',
    `${location} has a schema that this version does not know (${said}): it knows MLflow 1.12 to ${NEWEST}`,
    { hint: 'A newer mlferry may know it; or start a server on it (mlflow server) and name that.' },
  );
}

/** Throws DENIED where the user may not read the table that tells the schema. */
async function mustBeReadable(database: Database): Promise<void> {
  try {
    await database.rows('SELECT "version_num" FROM "alembic_version" LIMIT 1');
  } catch (error) {
    if (error instanceof MlferryError && error.code === 'DENIED') throw error;
  }
}
