type Sqlite = typeof import('node:sqlite');

/** Node's own SQLite, loaded when it is needed. Older Nodes call it experimental on stderr, where that helps nobody. */
export function loadSqlite(): Sqlite {
  const { emitWarning } = process;
  process.emitWarning = () => undefined;
  try {
    return process.getBuiltinModule('node:sqlite');
  } finally {
    process.emitWarning = emitWarning;
  }
}
