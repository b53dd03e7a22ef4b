import { MlferryError } from '../../../util/errors.ts';
import type { WritableDatabase } from '../connect/database.ts';
import { HEAD } from '../connect/revisions.ts';

/** Whether a database holds nothing at all. */
export async function isEmpty(database: WritableDatabase): Promise<boolean> {
  return (await database.rows(database.dialect.columns)).length === 0;
}

/**
 * Makes MLflow's tables in an empty database, as of the newest schema that is known here: all of them or none. MLflow's servers and
 * `mlflow db upgrade` go on from there. What is not to be kept is undone when the database is closed.
 */
export async function initDatabase(database: WritableDatabase, keep: boolean): Promise<void> {
  const statements = await schemaOf(database);
  await database.begin();
  try {
    // Somebody else may have been there while it was waited for.
    if (await isEmpty(database)) {
      for (const sql of statements) await database.change(sql);
      await database.change('INSERT INTO "alembic_version" ("version_num") VALUES (?)', [HEAD]);
      await database.change('INSERT INTO "workspaces" ("name", "description") VALUES (?, ?)', [
        ...['default', 'Default workspace for legacy resources'],
      ]);
    }
    if (keep) await database.commit();
  } catch (error) {
    await database.rollback().catch(() => undefined);
    // Another process made them in the same moment.
    if (await isEmpty(database)) throw error;
  }
}

async function schemaOf({ dialect }: WritableDatabase): Promise<readonly string[]> {
  switch (dialect.name) {
    case 'sqlite':
      return (await import('../schema/sqlite.ts')).SQLITE_SCHEMA;
    case 'postgresql':
      return (await import('../schema/postgresql.ts')).POSTGRESQL_SCHEMA;
    case 'mysql':
      throw new MlferryError('UNSUPPORTED', 'Databases on MySQL are only read so far');
  }
}
