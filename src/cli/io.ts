import type { Readable, Writable } from 'node:stream';

/** As a shell tells a program that SIGPIPE ended. */
export const BROKEN_PIPE = 141;

/** What a command may touch of the outside: handed in, so that commands can be run in-process. */
export interface Io {
  readonly stdin: Readable & { readonly isTTY?: boolean };
  /** Data. */
  readonly stdout: Writable & { readonly isTTY?: boolean; readonly columns?: number };
  /** Talk. */
  readonly stderr: Writable & { readonly isTTY?: boolean; readonly columns?: number };
  /** Requests are shown on stderr: nothing that is redrawn may stand below them. */
  readonly debug?: boolean;
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly signal: AbortSignal;
  /** Whether the program behind stdout has closed it. */
  isPipeClosed?(): boolean;
  /** The exit status that a signal has set: 130 or 143. */
  signalStatus?(): number | undefined;
  /** Sets the exit status of the process, unless a signal has. */
  exit(status: number): void;
}
