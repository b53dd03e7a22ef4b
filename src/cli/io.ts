import type { Readable, Writable } from 'node:stream';

/** What a command may touch of the outside: handed in, so that commands can be run in-process. */
export interface Io {
  readonly stdin: Readable & { readonly isTTY?: boolean };
  /** Data. */
  readonly stdout: Writable & { readonly isTTY?: boolean };
  /** Talk. */
  readonly stderr: Writable & { readonly isTTY?: boolean; readonly columns?: number };
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly signal: AbortSignal;
  /** Sets the exit status of the process. */
  exit(status: number): void;
}
