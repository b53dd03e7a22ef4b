import { z } from 'zod';
import type { LeftOutRun } from '../../manage/chosen-runs.ts';
import type { Action, ManageReport } from '../../manage/manage-job.ts';
import { objectState } from '../../manage/object-changes.ts';
import { int64 } from '../../model/int64.ts';
import { count, exitStatus, failure, loss, place, seconds, stopped } from './parts.ts';
import { schemaOf } from './schema-of.ts';

const ACTIONS: Readonly<Record<Action, true>> = {
  'delete-runs': true,
  'restore-runs': true,
  'move-runs': true,
  'tag-runs': true,
  'rename-run': true,
  'delete-experiments': true,
  'restore-experiments': true,
  'tag-experiments': true,
  'rename-experiment': true,
  'tag-models': true,
  'alias-models': true,
  'transition-models': true,
  'delete-models': true,
  undo: true,
};
const isAction = (text: string): text is Action => Object.hasOwn(ACTIONS, text);

const leftOut = schemaOf<LeftOutRun>()(
  z.strictObject({ run_id: z.string(), run_name: z.string(), deleted_time: int64.exactOptional() }),
);

/** What commands print that change runs, experiments or models in place. */
export const changeReport = schemaOf<ManageReport>()(
  z.strictObject({
    action: z.enum(Object.keys(ACTIONS).filter(isAction)),
    place,
    total: count.meta({ description: 'objects that are to be changed' }),
    descendants: count,
    unknown_times: count,
    left_out: z.array(leftOut),
    experiments: z.array(
      z.strictObject({
        experiment_id: z.string(),
        name: z.string(),
        runs: count,
        first: z.array(z.string()),
      }),
    ),
    objects: z
      .array(
        z.strictObject({
          kind: z.string(),
          id: z.string(),
          name: z.string(),
          is_prompt: z.boolean(),
          before: objectState,
          after: objectState,
        }),
      )
      .meta({ description: 'registered models, versions and logged models that are to be changed' }),
    final: count.meta({ description: 'of these, how many nothing brings back' }),
    notes: z.array(z.string()),
    target: z.strictObject({ name: z.string(), experiment_id: z.string().exactOptional() }).exactOptional(),
    dry_run: z.boolean(),
    confirmed: z.boolean(),
    changed: count,
    unchanged: count,
    failed: count,
    undo_file: z.string().exactOptional(),
    bulk: z.boolean(),
    failures: z.array(failure),
    losses: z.array(loss),
    error: stopped.exactOptional(),
    seconds,
    exit_status: exitStatus,
  }),
);
