import { z } from 'zod';
import { fromServerJson } from '../../model/json.ts';
import { stringMap } from '../../model/string-map.ts';
import { MlferryError } from '../../util/errors.ts';
import { readSmallFile } from '../../util/regular-file.ts';

/** Longest file that is read whole (bytes): a list of all runs, a model with all its versions. */
export const MOST_WHOLE = 256 * 2 ** 20;

const text = z.string().optional().catch(undefined);
const systemFields = z
  .looseObject({ mlflow_version: text, mlflow_tracking_uri: text })
  .optional()
  .catch(undefined);

/** `mlflow` stands there since December 2022; before, `export_info` beside the fields of the object. */
const envelope = z.looseObject({
  system: systemFields,
  export_info: systemFields,
  info: z.unknown().optional(),
  mlflow: z.unknown().optional(),
});

/** A file of an export, whatever its generation. */
export interface ExportFile {
  readonly path: string;
  /** The object that it is about. */
  readonly body: unknown;
  /** What the command tells of the export: what failed, for one. */
  readonly info: unknown;
  /** Of the client that exported. */
  readonly mlflow_version: string | undefined;
  readonly mlflow_tracking_uri: string | undefined;
}

/** Reads a file of an export whole. Integers beyond 2^53 are texts, NaN and ±Infinity their names. Throws SOURCE_ITEM, a system error. */
export function readExportFile(path: string): ExportFile {
  return openEnvelope(parseExportText(readSmallFile(path, MOST_WHOLE).toString('utf8'), path), path);
}

/** Parses JSON of an export. Throws SOURCE_ITEM. */
export function parseExportText(json: string, path: string): unknown {
  try {
    return fromServerJson(json);
  } catch (error) {
    throw new MlferryError('SOURCE_ITEM', `${path} is not JSON: ${reasonOf(error)}`, { cause: error });
  }
}

/** Takes the object out of its envelope. Throws SOURCE_ITEM for what is no object. */
export function openEnvelope(value: unknown, path: string): ExportFile {
  const { system, export_info, info, mlflow } = checked(envelope, value, path);
  const told = system ?? export_info;
  return {
    path,
    body: mlflow === undefined ? value : mlflow,
    info: info ?? export_info,
    mlflow_version: told?.mlflow_version,
    mlflow_tracking_uri: told?.mlflow_tracking_uri,
  };
}

/** A value of an export by its schema. Throws SOURCE_ITEM, which names the file and the field. */
export function checked<T>(schema: z.ZodType<T>, value: unknown, path: string): T {
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  const field = issue?.path.join('.') ?? '';
  throw new MlferryError(
    'SOURCE_ITEM',
    `${path} is not what mlflow-export-import writes: ${field === '' ? '' : `${field}: `}${issue?.message ?? ''}`,
  );
}

/** Why something cannot be read, in a few words. */
export function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** Tags: an object, or a list of keys and values as REST tells them. */
export const exportTags = z
  .union([
    stringMap,
    z
      .array(z.object({ key: z.string(), value: z.string().default('') }))
      .transform((pairs) => Object.fromEntries(pairs.map(({ key, value }) => [key, value]))),
  ])
  .nullish()
  .transform((tags) => tags ?? {});

/** A text that may be `null`, or "" for none. */
export const textOrNone = z
  .string()
  .nullish()
  .transform((value) => value || undefined);

/** An object's fields without those that are `undefined`. */
export function defined<T extends object>(fields: T): Defined<T> {
  const entries = Object.entries(fields).filter(([, value]) => value !== undefined);
  // What is left out is `undefined`, and may be absent in the type.
  return Object.fromEntries(entries) as Defined<T>;
}

type Defined<T> = { [K in keyof T as undefined extends T[K] ? never : K]: T[K] } & {
  [K in keyof T as undefined extends T[K] ? K : never]?: Exclude<T[K], undefined>;
};

/** An id: experiments have numbers. */
export const exportId = z.union([z.string().min(1), z.int()]).transform(String);
