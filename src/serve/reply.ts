import type { Readable } from 'node:stream';

/** What is sent back. */
export type Reply =
  | { readonly json: unknown }
  | { readonly text: string; readonly type?: string }
  | FileReply;

/** A file: its bytes are opened when they are sent. */
export interface FileReply {
  readonly name: string;
  /** Bytes, where they are known. */
  readonly size: number | undefined;
  /** Content type; by default that of the name. */
  readonly type?: string;
  open(): Promise<Readable>;
}
