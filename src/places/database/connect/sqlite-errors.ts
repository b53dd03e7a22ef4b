import { type ErrorCode, MlferryError } from '../../../util/errors.ts';

/** SQLite's result codes (https://www.sqlite.org/rescode.html). */
export const BUSY = 5;
/** The last eight bits are the primary code. */
export const READONLY_ROLLBACK = 776;

const MEANINGS: Readonly<Record<number, readonly [ErrorCode, string]>> = {
  5: ['UNAVAILABLE', 'another process holds it for writing'],
  8: ['DENIED', 'it can only be read, or not even that without writing beside it'],
  10: ['NO_SPACE', 'the disk gave an error'],
  11: ['CORRUPT', 'the file is damaged'],
  13: ['NO_SPACE', 'the disk is full'],
  14: ['DENIED', 'it cannot be opened'],
  26: ['CORRUPT', 'the file is damaged'],
};

/** SQLite's extended result code of an error; `undefined` for any other error. */
export function sqliteCode(error: unknown): number | undefined {
  if (!(error instanceof Error) || !('errcode' in error)) return undefined;
  return typeof error.errcode === 'number' ? error.errcode : undefined;
}

/** An error of SQLite as mlferry's, with the file's name; any other as it is. */
export function sqliteError(error: unknown, path: string): unknown {
  const code = sqliteCode(error);
  if (code === undefined || !(error instanceof Error)) return error;
  const [meaning, reason] = MEANINGS[code & 0xff] ?? ['SERVER_ERROR', 'SQLite gave an error'];
  return new MlferryError(meaning, `The database ${path}: ${reason} (${error.message})`, { cause: error });
}
