import { z } from 'zod';
import { removeModelAliases, setModelAlias } from '../manage/alias-models.ts';
import { deleteModels } from '../manage/delete-models.ts';
import { tagModels } from '../manage/tag-models.ts';
import { transitionModels } from '../manage/transition-models.ts';
import { undo } from '../manage/undo.ts';
import type { Io } from './io.ts';
import { tagsOf } from './manage-values.ts';
import { modelChoiceOf } from './model-choice-values.ts';
import { runChange } from './run-change.ts';

/** What the commands of `mlferry models` do that change a place. */

/** `tag`. */
export function modelsTag(place: string, pairs: string[], values: unknown, io: Io): Promise<void> {
  return runChange(place, values, 'tag-models', io, (options) =>
    tagModels(place, tagsOf(pairs), { ...modelChoiceOf(values), ...options }),
  );
}

/** `untag`. */
export function modelsUntag(place: string, keys: string[], values: unknown, io: Io): Promise<void> {
  return runChange(place, values, 'tag-models', io, (options) => {
    const tags = Object.fromEntries(keys.map((key) => [key, null]));
    return tagModels(place, tags, { ...modelChoiceOf(values), ...options });
  });
}

/** `alias set`. */
export function modelsAliasSet(place: string, alias: string, values: unknown, io: Io): Promise<void> {
  return runChange(place, values, 'alias-models', io, (options) =>
    setModelAlias(place, alias, { ...modelChoiceOf(values), ...options }),
  );
}

/** `alias remove`. */
export function modelsAliasRemove(place: string, aliases: string[], values: unknown, io: Io): Promise<void> {
  return runChange(place, values, 'alias-models', io, (options) =>
    removeModelAliases(place, aliases, { ...modelChoiceOf(values), ...options }),
  );
}

const transitionOptions = z.object({ stage: z.string(), archiveExisting: z.boolean().default(false) });

/** `transition`. */
export function modelsTransition(place: string, values: unknown, io: Io): Promise<void> {
  const { stage, archiveExisting } = transitionOptions.parse(values);
  return runChange(place, values, 'transition-models', io, (options) =>
    transitionModels(place, stage, { ...modelChoiceOf(values), ...options, archiveExisting }),
  );
}

/** `delete`. */
export function modelsDelete(place: string, values: unknown, io: Io): Promise<void> {
  const { permanently } = z.object({ permanently: z.boolean().default(false) }).parse(values);
  return runChange(place, values, 'delete-models', io, (options) =>
    deleteModels(place, { ...modelChoiceOf(values), ...options, permanently }),
  );
}

/** `restore`. */
export function modelsRestore(place: string, values: unknown, io: Io): Promise<void> {
  const { fromUndo } = z.object({ fromUndo: z.string() }).parse(values);
  return runChange(place, values, 'undo', io, (options) => undo(place, fromUndo, options));
}
