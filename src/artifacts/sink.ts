import type { Readable } from 'node:stream';

/** Where the files of one run are written to. Paths are relative to the run's artifact root, with `/`. */
export interface ArtifactSink {
  readonly kind: 'proxied' | 'local';
  /** Whether a file of this path arrives under this very path. */
  keepsName(path: string): boolean;
  /** Writes a file of `size` bytes, replacing one that is there. `open` gives a fresh stream for each try. */
  put(path: string, size: number, open: () => Promise<Readable>): Promise<void>;
  /** Only local: removes a file. */
  remove?(path: string): Promise<void>;
}
