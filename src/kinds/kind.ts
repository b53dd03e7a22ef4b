import type { z } from 'zod';
import type { ObjectFilter } from '../model/selection.ts';
import type { OBJECT_WORDS } from './part-words.ts';

/** A record of any kind, checked by the schema of its kind. Fields are MLflow's own. */
export type ObjectRecord = { readonly kind: string } & Readonly<Record<string, unknown>>;

/**
 * One kind of object that mlferry carries. Everything that is the same for all kinds (counting, remapping, order in a
 * file, verdicts, rows of a report) works by this description. Ids and references are marks in the schema, see
 * marks.ts.
 */
export interface ObjectKind {
  /** Discriminator of its records, as MLflow calls it: `run`, `logged_model`. */
  readonly kind: string;
  /** For people. */
  readonly words: { readonly one: string; readonly many: string };
  /** Key of its counts in reports and end records: `runs`. */
  readonly counted: string;
  /** Format version of archives and streams that first has it. */
  readonly since: number;
  /** A strict object schema. Its field order is the order in files. */
  readonly schema: z.ZodType<ObjectRecord>;
  /** The field that people know it by. */
  readonly name: string;
  /** The kind of object it lives in, where it does. Its own schema refers to it. */
  readonly within?: string;
  /** Which of them belong to a choice of runs: those that live in a chosen object (default), or those that name one. */
  readonly chosenBy?: 'parent' | 'references';
  /** Whether the objects of one parent are written one after another, as they are read. */
  readonly ordered?: boolean;
  /**
   * How a copy is known: by the mark of its origin among its tags (default), or, of a kind whose tags are none or mean
   * something else, by having the id that the copy must have.
   */
  readonly foundBy?: 'origin' | 'id';
  /**
   * Whether it has a secret, or needs one, that no client can read: files keep the rest of it, and on a server or in a
   * directory people make it anew. What is there by itself is found by its fields.
   */
  readonly madeAnew?: boolean;
  /** Whether its files may be those of another object: then only what its source brings is its own. */
  readonly sharesFiles?: boolean;
  /** Whether it has files of its own. */
  readonly artifacts: boolean;
  /** The field of a selection with the search expression that its objects must fit, in the grammar of `words.many`. */
  readonly filter?: ObjectFilter;
  /**
   * The parts of a place that its objects make, by the words of `--only` and `--without`: the first whose tag is `true`, or
   * that asks for none. A kind without any goes with the object it lives in.
   */
  readonly parts?: ReadonlyArray<{ readonly word: (typeof OBJECT_WORDS)[number]; readonly tag?: string }>;
  /** Finds ids of this kind in texts (tags, URIs); its first group is the id. */
  readonly mention?: RegExp;
}
