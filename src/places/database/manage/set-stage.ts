import { placeholders } from '../connect/database.ts';
import type { Changeable } from './set-pairs.ts';

/**
 * Marks runs as deleted at `time` (ms), or with `null` as active; those that are in that stage stay as they are. At most as many as
 * there are parameters.
 */
export async function setStage(
  { database, tables }: Changeable,
  run_ids: readonly string[],
  time: number | null,
): Promise<void> {
  const [from, to] = time === null ? ['deleted', 'active'] : ['active', 'deleted'];
  const isTimed = tables.has('runs', 'deleted_time');
  await database.change(
    `UPDATE "runs" SET "lifecycle_stage" = '${to}'${isTimed ? ', "deleted_time" = ?' : ''}` +
      ` WHERE "run_uuid" IN (${placeholders(run_ids)}) AND COALESCE("lifecycle_stage", 'active') = '${from}'`,
    [...(isTimed ? [time] : []), ...run_ids],
  );
}
