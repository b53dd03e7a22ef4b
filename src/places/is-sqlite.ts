import { closeSync, openSync, readSync } from 'node:fs';

/** How every SQLite database begins (https://www.sqlite.org/fileformat.html). */
const HEAD = 'SQLite format 3\0';

/** Whether a file is a SQLite database, as MLflow 3 makes one (`mlflow.db`) where nothing else is told. */
export function isSqlite(path: string): boolean {
  try {
    const file = openSync(path, 'r');
    try {
      const head = Buffer.alloc(HEAD.length);
      return readSync(file, head, 0, HEAD.length, 0) === HEAD.length && head.toString('latin1') === HEAD;
    } finally {
      closeSync(file);
    }
  } catch {
    return false;
  }
}
