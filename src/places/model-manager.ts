import { z } from 'zod';
import { modelVersion } from '../model/registered-model.ts';
import { type StringMap, stringMap } from '../model/string-map.ts';
import type { TagChanges } from './tag-changes.ts';

/** A registered model, a version of one or a logged model: its kind and its id. */
export interface ObjectKey {
  readonly kind: string;
  readonly id: string;
  /** Of what lives in an experiment. */
  readonly experiment_id?: string;
}

/** What is kept of an object that is deleted: all that it takes to make it again. */
export const keptObject = z.strictObject({
  record: z.looseObject({ kind: z.string() }),
  /** Of a registered model: all its versions with their aliases, by number. */
  versions: z.array(modelVersion),
  /** Where the place is a directory: the texts of its files by their paths; of a database its rows by their tables, as JSON. */
  files: stringMap.optional(),
});
export type KeptObject = z.infer<typeof keptObject>;

/** What a place does when an object of some kind is deleted. */
export interface Deletion {
  /** The place itself keeps nothing: it has to be meant. */
  readonly forGood: boolean;
  /** Whether `remake` brings it back: as it was, as far as `words` tell, or not at all. */
  readonly undo: 'whole' | 'partly' | 'none';
  /** For people: what cannot be brought back. */
  readonly words: string;
}

/**
 * Changes of registered models, their versions and logged models where they are. Each is idempotent, and throws NOT_FOUND when the
 * object is not there, REFUSED when the place does not take it. What to change is found with the manager's reader.
 */
export interface ModelManager {
  /** By kind. */
  readonly deletions: ReadonlyMap<string, Deletion>;
  setTags(of: ObjectKey, tags: TagChanges): Promise<void>;
  /** Points an alias of a registered model to a version; `null` removes it. */
  setAlias(name: string, alias: string, version: string | null): Promise<void>;
  /** The stage of a version, as MLflow writes it. */
  setStage(of: ObjectKey, stage: string): Promise<void>;
  /** Texts of files, or of rows, that belong to what is kept of an object before it is deleted. Throws UNSUPPORTED where they are no texts. */
  filesOf?(of: ObjectKey): Promise<StringMap | undefined>;
  /** It is no error when it is gone. */
  delete(of: ObjectKey): Promise<void>;
  /** Brings a deleted object back, or completes what an interrupted attempt has left. Throws REFUSED where something else stands in its place. */
  remake(of: ObjectKey, kept: KeptObject): Promise<void>;
}
