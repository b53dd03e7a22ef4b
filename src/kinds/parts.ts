import { ownValue, stringMap } from '../model/string-map.ts';
import { MlferryError } from '../util/errors.ts';
import { nearest } from '../util/nearest.ts';
import { type FileOptions, type FileRules, fileRulesOf, takesAllFiles } from './file-rules.ts';
import type { ObjectKind, ObjectRecord } from './kind.ts';
import { kindOf } from './kinds.ts';
import { marksOf, parentIdOf } from './marks.ts';
import { OBJECT_WORDS, PART_WORDS } from './part-words.ts';

/** Whether points and files are taken along. */
interface Contents {
  readonly metrics: boolean;
  readonly artifacts: boolean;
}

/** What of a place is taken along: of the runs, and of the objects of the further kinds. */
export interface Parts extends Contents {
  readonly objects: Contents;
  /** Of artifacts that are taken along. */
  readonly files: FileRules;
  /** Words of what is left out whole, in the order of `PART_WORDS`. */
  readonly without: readonly string[];
  /** `MLmodel` files keep their bytes, and the ids of the source in them. */
  readonly keepModelFiles: boolean;
}

/** What a caller may say of it. */
export interface PartOptions extends FileOptions {
  /** Default true. */
  readonly metrics?: boolean | undefined;
  /** Default true. */
  readonly artifacts?: boolean | undefined;
  /** Words of `PART_WORDS`: experiments, runs and these, whole; of the runs themselves neither metrics nor artifacts unless named. */
  readonly only?: readonly string[] | undefined;
  /** Words of `PART_WORDS` that are left out. */
  readonly without?: readonly string[] | undefined;
  /** `MLmodel` files keep their bytes, and with them the ids of the source. Default false. */
  readonly keepModelFiles?: boolean | undefined;
}

/** Everything. */
export const ALL_PARTS: Parts = partsOf({});

/** What the options leave. Throws USAGE for an unknown word. */
export function partsOf(options: PartOptions): Parts {
  const { metrics = true, artifacts = true, only = [], without = [], keepModelFiles = false } = options;
  for (const word of [...only, ...without]) mustBeWord(word);
  const objects = {
    metrics: metrics && !without.includes('metrics'),
    artifacts: artifacts && !without.includes('artifacts'),
  };
  const isNamed = (word: string) => only.length === 0 || only.includes(word);
  return {
    metrics: objects.metrics && isNamed('metrics'),
    artifacts: objects.artifacts && isNamed('artifacts'),
    objects,
    files: fileRulesOf(options),
    without: OBJECT_WORDS.filter((word) => without.includes(word) || !isNamed(word)),
    keepModelFiles,
  };
}

function mustBeWord(word: string): void {
  if (PART_WORDS.some((known) => known === word)) return;
  const near = nearest(word, PART_WORDS);
  throw new MlferryError('USAGE', `There is no part ${JSON.stringify(word)} to take or leave`, {
    hint: `${near === undefined ? '' : `Did you mean ${near}? `}Parts are ${PART_WORDS.join(', ')}.`,
  });
}

/** As little as tells these parts from others: what makes a job, or a file that is begun, another one. */
export function partsKey({ metrics, artifacts, objects, files, without, keepModelFiles }: Parts): object {
  const ofObjects = objects.metrics !== metrics || objects.artifacts !== artifacts;
  return {
    metrics,
    artifacts,
    ...(ofObjects ? { objects } : {}),
    ...(takesAllFiles(files) ? {} : { files }),
    ...(without.length > 0 ? { without } : {}),
    ...(keepModelFiles ? { model_files: 'kept' } : {}),
  };
}

/** Whether all objects of a kind are left out. */
export function isLeftOut({ parts = [] }: ObjectKind, { without }: Parts): boolean {
  return parts.length > 0 && parts.every(({ word }) => without.includes(word));
}

/** Whether the files of this kind of object come with it, so that no other object must bring them. */
export function carriesFiles(kind: string, { artifacts, objects }: Parts): boolean {
  return kind === 'run' ? artifacts : objects.artifacts;
}

/** The words that are left out of which objects of this kind name some. */
export function missingWords(of: ObjectKind, { without }: Parts): string[] {
  const named = marksOf(of.schema).flatMap(({ references }) =>
    references === undefined || references === of.within ? [] : (kindOf(references).parts ?? []),
  );
  return without.filter((word) => named.some((part) => part.word === word));
}

/**
 * Whether an object is left out, by its part or because it lives in one that is. Asked of each object once, in the order of
 * the table.
 */
export function createLeftOut({
  without,
}: Parts): (of: ObjectKind, id: string, record: ObjectRecord) => boolean {
  const left = new Set<string>();
  return (of, id, record) => {
    if (without.length === 0) return false;
    const tags = stringMap.safeParse(record.tags).data ?? {};
    const part = of.parts?.find(({ tag }) => tag === undefined || ownValue(tags, tag) === 'true');
    const isOut =
      part === undefined ? left.has(`${of.within} ${parentIdOf(of, record)}`) : without.includes(part.word);
    if (isOut) left.add(`${of.kind} ${id}`);
    return isOut;
  };
}
