import type { ObjectKind, ObjectRecord } from '../kinds/kind.ts';
import type { RunLoss } from '../model/fit-run.ts';
import type { Experiment } from '../model/records.ts';
import type { Selection } from '../model/selection.ts';
import type { ArtifactOwner } from './artifact-owner.ts';

/** One object of a further kind at its source. */
export interface ObjectReader extends ArtifactOwner {
  /** The place knows that it belongs to the selection: something that lives in it does. */
  readonly belongs?: boolean;
  readonly of: ObjectKind;
  readonly record: ObjectRecord;
  /** Tells the findings what of the object the place cannot give; called of each that is taken. */
  report?(): Promise<void> | void;
  /** The record with what the place gives late (a mark of its schema); absent where the record is whole. */
  whole?(): Promise<ObjectRecord>;
}

/** Which objects of a further kind are wanted: those of these experiments, and those that live in none. */
export interface ObjectScope {
  readonly selection: Selection;
  /** Selected experiments, as the reader gave them. */
  readonly experiments: readonly Experiment[];
  /** Only these are needed: a place that finds them without reading the others gives no others. */
  readonly ids?: ReadonlySet<string>;
  /** Whether an object of an earlier kind belongs to the selection. */
  isChosen(kind: string, id: string): boolean;
  /** Whether an object of an earlier kind is on the target, so that its files need not come along with another one. */
  isHeld(kind: string, id: string): boolean;
}

/** How a place gives the objects of one further kind. */
export interface ObjectSource {
  /** Each object once, in the order of creation (id where that is unknown); parents are read before. */
  read(scope: ObjectScope): AsyncIterable<ObjectReader>;
  /**
   * What a copy in this place must look like, where it cannot hold every record as it is: the same rules by which its
   * writer fits it. `present` is what the place holds.
   */
  represent?(
    wanted: ObjectRecord,
    present: ObjectRecord,
  ): { readonly record: ObjectRecord; readonly losses: readonly RunLoss[] };
}

/** What the target gave an object of a further kind: its id there, and the root of its files where it has one. */
export interface OwnObject {
  readonly id: string;
  readonly artifact_uri?: string;
}

/** What the engine knows of an object of a further kind when it hands it to a writer. */
export interface ObjectTarget {
  /** Value of the tag `mlferry.origin`: `<fingerprint>/<source id>`. */
  readonly origin: string;
  /** objectDigest of the source's record, for the tag `mlferry.digest`, to be set last: then the copy is complete. */
  readonly digest: string;
  /** An earlier process of this job may have created the copy without learning of it. */
  readonly inDoubt: boolean;
  /** The record in the target's ids; a writer calls it once it knows the object's own, before it asks for files. */
  remap(own: OwnObject): ObjectRecord;
  /** The same with what the source gives late. */
  whole(own: OwnObject): Promise<ObjectRecord>;
}

/** What became of a run or object on its target. `left`: its copy was deleted on the target, and stays so. */
export type WriteOutcome = 'created' | 'updated' | 'unchanged' | 'left';

/** What became of an object of a further kind; `id` is the target's. */
export interface WrittenObject {
  readonly id: string;
  readonly outcome: WriteOutcome;
  readonly artifacts: number;
  readonly bytes: number;
}

/** Writes an object whole, or completes the copy that is there. Returns only when the target holds it. */
export type ObjectWriter = (source: ObjectReader, target: ObjectTarget) => Promise<WrittenObject>;
