/**
 * Preloaded into a mlferry process (`NODE_OPTIONS=--import=…`): counts its changes of the file system, kills it (SIGKILL)
 * right before the change of the number KILL_AT_CHANGE, and writes how many there were to the file CHANGE_COUNT_FILE when
 * it comes to its end.
 */
import fs from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';

const killAt = Number(process.env.KILL_AT_CHANGE ?? Number.NaN);
const file = process.env.CHANGE_COUNT_FILE;
const writeAtEnd = fs.writeFileSync;
let changes = 0;

function change(): void {
  if (changes++ === killAt) process.kill(process.pid, 'SIGKILL');
}

/** Writing through a file handle: each write is a change of its own. */
function watchHandle(handle: fs.promises.FileHandle): fs.promises.FileHandle {
  for (const name of ['write', 'writeFile', 'appendFile', 'truncate', 'sync', 'datasync'] as const) {
    const original = Reflect.get(handle, name);
    Reflect.set(handle, name, (...args: unknown[]) => {
      change();
      return Reflect.apply(original, handle, args);
    });
  }
  return handle;
}

for (const name of ['writeFile', 'rename', 'rm', 'rmdir', 'mkdir', 'link', 'open'] as const) {
  const original = Reflect.get(fs.promises, name);
  Reflect.set(fs.promises, name, async (...args: unknown[]) => {
    change();
    const result: unknown = await Reflect.apply(original, fs.promises, args);
    return name === 'open' ? watchHandle(result as fs.promises.FileHandle) : result;
  });
}
syncBuiltinESMExports();

if (file !== undefined) process.once('exit', () => writeAtEnd(file, String(changes)));
