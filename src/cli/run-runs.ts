import { z } from 'zod';
import { deleteRuns } from '../manage/delete-runs.ts';
import { renameRun } from '../manage/rename-run.ts';
import { restoreRuns } from '../manage/restore-runs.ts';
import { tagRuns } from '../manage/tag-runs.ts';
import { undo } from '../manage/undo.ts';
import { moveRuns } from '../move/move-runs.ts';
import type { Io } from './io.ts';
import { deliberateChoice, tagsOf } from './manage-values.ts';
import { runChange } from './run-change.ts';
import { stateDirFor } from './state-dir.ts';

/** What the commands of `mlferry runs` do that change runs. */

const cascadeOption = z.object({ cascade: z.boolean(), fromUndo: z.string().optional() });

/** `delete`. */
export function runsDelete(place: string, values: unknown, io: Io): Promise<void> {
  return runChange(place, values, 'delete-runs', io, (options) => {
    const { cascade } = cascadeOption.parse(values);
    return deleteRuns(place, { ...options, ...deliberateChoice(values), cascade });
  });
}

/** `restore`. */
export function runsRestore(place: string, values: unknown, io: Io): Promise<void> {
  const { cascade, fromUndo } = cascadeOption.parse(values);
  if (fromUndo !== undefined)
    return runChange(place, values, 'undo', io, (options) => undo(place, fromUndo, options));
  return runChange(place, values, 'restore-runs', io, (options) =>
    restoreRuns(place, { ...options, ...deliberateChoice(values), cascade }),
  );
}

const moveOptions = z.object({ to: z.string(), create: z.boolean(), cascade: z.boolean() });

/** `move`. */
export async function runsMove(place: string, values: unknown, io: Io): Promise<void> {
  const move = moveOptions.parse(values);
  const stateDir = await stateDirFor(undefined, io);
  return runChange(place, values, 'move-runs', io, (options) =>
    moveRuns(place, { ...options, ...deliberateChoice(values), ...move, stateDir }),
  );
}

/** `tag`. */
export function runsTag(place: string, pairs: string[], values: unknown, io: Io): Promise<void> {
  return runChange(place, values, 'tag-runs', io, (options) =>
    tagRuns(place, tagsOf(pairs), { ...options, ...deliberateChoice(values) }),
  );
}

/** `untag`. */
export function runsUntag(place: string, keys: string[], values: unknown, io: Io): Promise<void> {
  return runChange(place, values, 'tag-runs', io, (options) => {
    const tags = Object.fromEntries(keys.map((key) => [key, null]));
    return tagRuns(place, tags, { ...options, ...deliberateChoice(values) });
  });
}

/** `rename`. */
export function runsRename(place: string, run: string, name: string, values: unknown, io: Io): Promise<void> {
  const rename = (options: Parameters<typeof renameRun>[3]) => renameRun(place, run, name, options);
  return runChange(place, values, 'rename-run', io, rename, false);
}
