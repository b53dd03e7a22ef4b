import { randomUUID } from 'node:crypto';
import { z } from 'zod';
import { ORIGIN_TAG, runDigest } from '../../../model/canonical.ts';
import type { Run } from '../../../model/records.ts';
import { ALL_ACTIVE } from '../../../model/selection.ts';
import { ownValue } from '../../../model/string-map.ts';
import { MlferryError } from '../../../util/errors.ts';
import { numericId } from '../read/cells.ts';
import { readRuns } from '../read/runs.ts';
import { checkedRows } from '../read/store.ts';
import type { Target } from './target.ts';
import type { RunJob } from './write-run.ts';

const row = z.object({ experiment_id: numericId });

/** The run of an id that the database has. */
async function experimentOf(target: Target, run_id: string): Promise<string | undefined> {
  const columns = target.tables.columns('runs', ['experiment_id']);
  const sql = `SELECT ${columns} FROM "runs" WHERE "run_uuid" = ?`;
  const [found] = await checkedRows(target, row, sql, [run_id]);
  return found?.experiment_id;
}

/** The run as the database has it in an experiment. */
export async function readRun(
  target: Target,
  experiment_id: string,
  run_id: string,
): Promise<Run | undefined> {
  const selection = { ...ALL_ACTIVE, view: 'all', runs: [run_id] } as const;
  for await (const [run] of readRuns(target, { experiment_id, name: '' }, selection)) return run;
  return undefined;
}

/**
 * The very run of the source, where the database has it without being a copy of mlferry's: an archive goes back to where it came
 * from, or MLflow's own tool was there before. Throws REFUSED where it has another content: it is never overwritten.
 */
export async function sameRun(target: Target, experiment_id: string, source: Run): Promise<Run | undefined> {
  const found = await experimentOf(target, source.run_id);
  if (found === undefined) return undefined;
  const present = await readRun(target, found, source.run_id);
  if (present === undefined || ownValue(present.tags, ORIGIN_TAG) !== undefined) return undefined;
  if (found === experiment_id && runDigest(present) === runDigest(source)) return present;
  const where = found === experiment_id ? 'with other content' : `in the experiment ${found}`;
  throw new MlferryError(
    'REFUSED',
    `The target has a run of this id already, ${where}, which is no copy of mlferry’s: it was left as it is`,
    { hint: 'Delete it for good on the target (mlflow gc), or leave it out of the selection.' },
  );
}

/** The wanted id where it is free and the column holds it; else a new one, and a loss. */
export async function freeRunId(target: Target, wanted: string, note: RunJob['note']): Promise<string> {
  const fits = [...wanted].length <= target.tables.length('runs', 'run_uuid');
  if (fits && (await experimentOf(target, wanted)) === undefined) return wanted;
  const run_id = randomUUID().replaceAll('-', '');
  const detail = `the database has another run of this id, or cannot hold it; the copy is ${run_id}`;
  note({ code: 'RUN_ID_TAKEN', detail });
  return run_id;
}
