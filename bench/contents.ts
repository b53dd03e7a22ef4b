import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { z } from 'zod';
import type { TestServer } from '../test/servers/start-server.ts';
import { SIZES } from './dataset.ts';

const countRow = z.object({ count: z.number() });

/** How much a server with SQLite and local artifacts holds of an experiment. */
interface Contents {
  readonly runs: number;
  readonly points: number;
  readonly params: number;
  readonly tags: number;
  readonly files: number;
}

/** Throws unless that many whole runs of the set are in the experiment: nobody is quick by leaving things out. */
export function checkContents(server: TestServer, experiment: string, runs: number): void {
  const found = contentsOf(server, experiment);
  const expected: Contents = {
    runs,
    points: runs * SIZES.keys * SIZES.points,
    params: runs * SIZES.params,
    tags: runs * SIZES.tags,
    files: runs * SIZES.files,
  };
  if (JSON.stringify(found) !== JSON.stringify(expected)) {
    throw new Error(`${experiment} holds ${JSON.stringify(found)} instead of ${JSON.stringify(expected)}`);
  }
}

function contentsOf(server: TestServer, experiment: string): Contents {
  using database = new DatabaseSync(join(server.directory, 'mlflow.db'), { readOnly: true });
  const experimentId = 'SELECT experiment_id FROM experiments WHERE name = ?';
  const runIds = `SELECT run_uuid FROM runs WHERE experiment_id = (${experimentId})`;
  const count = (table: string, condition = 'true') =>
    countRow.parse(
      database
        .prepare(`SELECT count(*) AS count FROM ${table} WHERE run_uuid IN (${runIds}) AND ${condition}`)
        .get(experiment),
    ).count;
  const { id } = z
    .object({ id: z.number() })
    .parse(database.prepare(`SELECT experiment_id AS id FROM experiments WHERE name = ?`).get(experiment));
  const entries = readdirSync(join(server.directory, 'artifacts', String(id)), {
    recursive: true,
    withFileTypes: true,
  });
  return {
    runs: count('runs'),
    points: count('metrics'),
    params: count('params'),
    tags: count('tags', "key LIKE 'tag_%'"),
    files: entries.filter((entry) => entry.isFile()).length,
  };
}
