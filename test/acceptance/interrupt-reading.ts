/**
 * Preloaded into a mlferry process (`NODE_OPTIONS=--import=…`): sends it SIGINT when it opens the file INTERRUPT_AT, and writes
 * to the file READS_AFTER how often it read from files from then on, when it ends.
 */
import fs from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';

const { INTERRUPT_AT, READS_AFTER } = process.env;
const { openSync, readSync, writeFileSync } = fs;
let reads: number | undefined;

if (READS_AFTER !== undefined) {
  fs.openSync = (path, ...rest) => {
    if (path === INTERRUPT_AT && reads === undefined) {
      reads = 0;
      process.kill(process.pid, 'SIGINT');
    }
    return openSync(path, ...rest);
  };
  Reflect.set(fs, 'readSync', (...args: unknown[]) => {
    if (reads !== undefined) reads += 1;
    return Reflect.apply(readSync, fs, args);
  });
  syncBuiltinESMExports();
  process.once('exit', () => writeFileSync(READS_AFTER, String(reads)));
}
