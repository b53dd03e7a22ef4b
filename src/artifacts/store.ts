import type { Readable } from 'node:stream';

/** What is known of a file that was written: the store's mark of it, where it tells one. */
export interface PutFile {
  readonly etag: string | undefined;
}

/** A file in an object store. */
export interface StoredFile {
  /** Relative to the root below which it was listed, with `/`. */
  readonly path: string;
  /** Bytes. */
  readonly size: number;
  /** The store's mark of these bytes, where it tells one: a file that was replaced has another. */
  readonly etag?: string | undefined;
}

/** Where a store has a file, for a copy within it. */
export interface StoredOrigin {
  /** What serves it: a file goes without a detour only to the very same. */
  readonly endpoint: string;
  readonly bucket: string;
  readonly key: string;
  readonly etag: string | undefined;
  /** Bytes. */
  readonly size: number;
}

/**
 * The files below one root of an object store, reached from this machine. All throw CREDENTIALS, DENIED, NOT_FOUND, REFUSED,
 * SERVER_ERROR, UNAVAILABLE and INTERRUPTED; a DENIED of a single file has a cause with `status: 403`.
 */
export interface ArtifactStore {
  /** `s3://bucket`, for people. */
  readonly name: string;
  /** The files of one of its directories. */
  below(directory: string): ArtifactStore;
  /** Asks for as little as can be asked for: whether the root can be listed. */
  probe(): Promise<void>;
  /** All files of all directories, in code-unit order of their paths. What stands for an empty directory is left out. */
  list(): Promise<StoredFile[]>;
  /**
   * The bytes of a file. A connection that breaks is taken up where it broke; the stream fails with SHORT_BODY when the bytes are
   * not as many as `size` tells, or were replaced meanwhile.
   */
  open(path: string, size: number | undefined): Promise<Readable>;
  /**
   * Writes a file, replacing one that is there, and gives its mark. The store compares the bytes that arrive with a hash that goes
   * along; a large file goes in parts, of which those are not sent again that an earlier try has left. `open` gives a
   * fresh stream for each try.
   */
  put(path: string, size: number, open: () => Promise<Readable>): Promise<PutFile>;
  /** Whether a file of the store has the bytes of this stream; where the mark tells, it is not read. */
  hasBytes(file: StoredFile, open: () => Promise<Readable>): Promise<boolean>;
  /** Where a file of it is. */
  origin(file: StoredFile): StoredOrigin;
  /**
   * Has the store itself copy a file from elsewhere in it: not a byte of it comes here. `undefined` where it does not: another
   * store, or no right to.
   */
  copy(path: string, from: StoredOrigin): Promise<PutFile | undefined>;
  remove(path: string): Promise<void>;
  /** Why a file cannot have this path; `undefined` when it can. */
  pathProblem(path: string): string | undefined;
}
