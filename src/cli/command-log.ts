import { closeSync, fchmodSync, fstatSync, openSync, writeSync } from 'node:fs';
import { stripVTControlCharacters } from 'node:util';
import { asMlferryError } from '../util/errors.ts';
import { redact } from '../util/redact.ts';
import { TOOL_VERSION } from '../util/tool-version.ts';
import { traceRequests } from './trace-requests.ts';

/** Where a command's requests and talk go besides, until it is closed. */
export interface CommandLog {
  /** What was written to stderr. */
  talk(text: string): void;
  close(): void;
}

/** What redrawing a line begins with (log-update): progress, which is of no use in a file. */
const REDRAWN = '\u001B[?';

/**
 * Opens what `--debug` and `--log-file` ask for: requests on `stderr`, requests and talk at the end of a file of lines with a time
 * (readable by its owner only, from now on). Throws USAGE when the file cannot be written; when it can be no more, that is told.
 */
export function openCommandLog(
  { debug, logFile }: { readonly debug: boolean; readonly logFile: string | undefined },
  args: readonly string[],
  stderr: (text: string) => void,
): CommandLog {
  const file = logFile === undefined ? undefined : openLogFile(logFile);
  let isBroken = false;
  const note = (text: string) => {
    if (file === undefined || isBroken) return;
    try {
      writeSync(file, `${new Date().toISOString()} ${redact(text)}\n`);
    } catch (error) {
      // What is logged is not worth the job.
      isBroken = true;
      const { message } = asMlferryError(error, 'NO_SPACE', `The log file ${logFile}`);
      stderr(`warning: ${message}. The command goes on without its log.\n`);
    }
  };
  note(`mlferry ${TOOL_VERSION}: ${args.map((arg) => JSON.stringify(arg)).join(' ')}`);
  const endTrace = traceRequests((text) => {
    if (debug) stderr(`debug: ${text}\n`);
    note(text);
  });
  return {
    talk(text) {
      if (text.startsWith(REDRAWN)) return;
      for (const line of stripVTControlCharacters(text).split('\n')) if (line.trim() !== '') note(line);
    },
    close() {
      endTrace();
      if (file === undefined) return;
      try {
        closeSync(file);
      } catch {
        // Some file systems say only now that there was no room: the job is done.
      }
    },
  };
}

function openLogFile(path: string): number {
  try {
    const file = openSync(path, 'a', 0o600);
    // One that was there before; of a pipe or terminal everybody may read.
    if (fstatSync(file).isFile()) fchmodSync(file, 0o600);
    return file;
  } catch (error) {
    throw asMlferryError(error, 'USAGE', `The log file ${path} cannot be written`);
  }
}
