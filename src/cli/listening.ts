import { Writable } from 'node:stream';
import type { Io } from './io.ts';

/** Stderr, with `hear` told of what is written to it. */
export function listening(stderr: Io['stderr'], hear: (text: string) => void): Io['stderr'] {
  const heard = new Writable({
    decodeStrings: false,
    write(chunk: string | Uint8Array, _encoding, done) {
      hear(chunk.toString());
      stderr.write(chunk);
      done();
    },
  });
  return Object.defineProperties(heard, {
    isTTY: { get: () => stderr.isTTY },
    columns: { get: () => stderr.columns },
  });
}
