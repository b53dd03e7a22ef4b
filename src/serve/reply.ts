import type { Readable } from 'node:stream';

/** What is sent back. */
export type Reply =
  | { readonly json: unknown }
  | { readonly text: string; readonly type?: string }
  | { readonly redirect: string }
  | FileReply
  | PageReply;

/** A file: its bytes are opened when they are sent. */
export interface FileReply {
  readonly name: string;
  /** Bytes, where they are known. */
  readonly size: number | undefined;
  /** Content type; by default that of the name. */
  readonly type?: string;
  open(): Promise<Readable>;
}

/** A file that a browser shows, and what it may do there: a Content-Security-Policy. */
export interface PageReply extends FileReply {
  readonly policy: string;
}
