import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import type { TestServer } from '../servers/start-server.ts';

/**
 * Where the database of a server on SQLite holds one of these ids, but in the tags that are there to hold it: a run's
 * origin, and the id of a parent that was not copied.
 */
export function leakedIds({ directory }: TestServer, ids: readonly string[]): string[] {
  const database = new DatabaseSync(join(directory, 'mlflow.db'), { readOnly: true });
  try {
    const tables = database.prepare(`SELECT name FROM sqlite_master WHERE type = 'table'`).all();
    return tables.flatMap(({ name: table }) => {
      const statement = database.prepare(`SELECT * FROM "${String(table)}"`);
      statement.setReadBigInts(true);
      return statement
        .all()
        .filter(({ key }) => table !== 'tags' || !/^mlferry\.origin(_parent)?$/.test(String(key)))
        .flatMap((row) =>
          Object.entries(row).flatMap(([column, value]) =>
            ids
              .filter((id) => typeof value === 'string' && value.includes(id))
              .map((id) => `${String(table)}.${column} (${String(row.key ?? '')}): ${id}`),
          ),
        );
    });
  } finally {
    database.close();
  }
}
