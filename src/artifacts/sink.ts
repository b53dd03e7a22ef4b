import type { Readable } from 'node:stream';
import type { ArtifactStore, PutFile } from './store.ts';

/** Where the files of one run are written to. Paths are relative to the run's artifact root, with `/`. */
export interface ArtifactSink {
  /** `uploads`: through a route of the server for single files. */
  readonly kind: 'proxied' | 'local' | 'store' | 'uploads';
  /** Whether a file of this path arrives under this very path. */
  keepsName(path: string): boolean;
  /** Writes a file of `size` bytes, replacing one that is there. `open` gives a fresh stream for each try. */
  put(path: string, size: number, open: () => Promise<Readable>): Promise<PutFile>;
  /** Of a store: tells more of its files than the server does. */
  readonly store?: ArtifactStore;
  /** Whether a file of so many bytes can be written; absent: any can. */
  takes?(size: number): boolean;
  /** Of a directory or store: removes a file. */
  remove?(path: string): Promise<void>;
}
