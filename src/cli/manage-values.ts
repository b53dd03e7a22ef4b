import { join } from 'node:path';
import { z } from 'zod';
import type { ChoiceOptions } from '../manage/manage-job.ts';
import { MlferryError } from '../util/errors.ts';
import type { Io } from './io.ts';
import { placeShape, placesOf } from './place-values.ts';
import { selectionOf, selectionShape } from './selection-values.ts';
import { defaultStateDir } from './state-dir.ts';

const changeShape = {
  dryRun: z.boolean().default(false),
  yes: z.boolean().default(false),
  undoFile: z.string().optional(),
  json: z.boolean().default(false),
  quiet: z.boolean().default(false),
};

const changeSchema = z.object(changeShape);
/** The values of `addChangeOptions`. */
export type ChangeValues = z.infer<typeof changeSchema>;

const placeSchema = z.object(placeShape);

const choiceSchema = z.object({
  ...selectionShape,
  createdBefore: z.number().optional(),
  createdAfter: z.number().optional(),
  since: z.number().optional(),
  deletedAfter: z.number().optional(),
});

/** The values of `addChangeOptions`, checked. */
export function changeValues(values: unknown): ChangeValues {
  return parsed(changeSchema, values);
}

/** The values of `addPlaceOptions` as the library takes them. */
export function placeOf(values: unknown, io: Io) {
  const { tls, ...options } = placesOf(parsed(placeSchema, values));
  return { ...options, tls: tls.to, environment: io.environment, signal: io.signal };
}

/** The values of `addChoiceOptions` (and `--deleted-after`) as the library takes them. */
export function choiceOf(
  values: unknown,
): Pick<ChoiceOptions, 'selection' | 'createdBefore' | 'createdAfter' | 'deletedAfter'> {
  const { createdBefore, createdAfter, since, deletedAfter, ...selection } = parsed(choiceSchema, values);
  if (createdAfter !== undefined && since !== undefined)
    throw new MlferryError('USAGE', '--since is another word for --created-after: give one of them');
  return {
    selection: selectionOf(selection),
    createdBefore,
    createdAfter: createdAfter ?? since,
    deletedAfter,
  };
}

/** The same, for commands that change: everything has to be meant. Throws USAGE when nothing says which runs. */
export function deliberateChoice(values: unknown): ReturnType<typeof choiceOf> {
  const choice = choiceOf(values);
  const { experiments = [], runs = [], filter, experiment_filter } = choice.selection ?? {};
  const { createdBefore, createdAfter, deletedAfter } = choice;
  const conditions = [filter, experiment_filter, createdBefore, createdAfter, deletedAfter];
  if (experiments.length + runs.length > 0 || conditions.some((condition) => condition !== undefined))
    return choice;
  throw new MlferryError('USAGE', 'Nothing says which runs', {
    hint: "Name them with --run, --experiment, --filter or a time; -e '*' means all experiments.",
  });
}

/** A new undo file in the directory `undo` below the state directory. */
export function undoPath(given: string | undefined, action: string, environment: Io['environment']): string {
  if (given !== undefined) return given;
  const time = new Date().toISOString().replace(/[-:]/g, '').replace('.', '-');
  return join(defaultStateDir(environment), 'undo', `${time}-${process.pid}-${action}.ndjson`);
}

/** `KEY=VALUE` arguments as tags. Throws USAGE for one without a key or a `=`. */
export function tagsOf(pairs: readonly string[]): Record<string, string> {
  return Object.fromEntries(
    pairs.map((pair) => {
      const at = pair.indexOf('=');
      if (at < 1) throw new MlferryError('USAGE', `"${pair}" is not of the form KEY=VALUE`);
      return [pair.slice(0, at), pair.slice(at + 1)];
    }),
  );
}

function parsed<T>(schema: z.ZodType<T>, values: unknown): T {
  const result = schema.safeParse(values);
  if (!result.success) throw new MlferryError('USAGE', z.prettifyError(result.error));
  return result.data;
}
