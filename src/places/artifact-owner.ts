import type { Readable } from 'node:stream';
import type { StoredOrigin } from '../artifacts/store.ts';

/** A file of a run or another object. `path` is relative to its artifact root, with `/`; `size` in bytes where the source tells it. */
export interface ArtifactEntry {
  readonly path: string;
  readonly size?: number;
  readonly sha256?: string;
  /** Where an object store has these very bytes: a target in that store need not get them from here. */
  readonly stored?: StoredOrigin;
}

/** What has files: a run, or an object of a further kind. */
export interface ArtifactOwner {
  /** All files in code-unit order of their paths; may be read more than once. */
  artifacts(): AsyncIterable<ArtifactEntry>;
  /** The bytes of all files with a sha256 were read, and have it, when the place was opened. */
  readonly hasCheckedBytes?: boolean;
  /**
   * The bytes of a file. The stream fails with SHORT_BODY when they are fewer or more than the entry's size, and with
   * SOURCE_ITEM when they do not have its sha256. `undefined` when the place knows of the file but does not carry it.
   */
  open(artifact: ArtifactEntry): Promise<Readable | undefined>;
}

/** Of an object that has none. */
export const NO_FILES: ArtifactOwner = {
  async *artifacts() {},
  open: async () => undefined,
};
