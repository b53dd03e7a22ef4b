/** A value of a parameter. */
export type Parameter = string | number;

/** A row by the names of its columns, as the engine gives it: it has still to be checked. */
export type Row = Readonly<Record<string, unknown>>;

/** What of SQL one engine writes otherwise than the next. */
export interface Dialect {
  readonly name: 'sqlite' | 'postgresql' | 'mysql';
  /** A column of 64-bit integers, so that none is cut to a double: those beyond 2^53 come as decimal texts. */
  integer(column: string): string;
  /** A column of JSON, as its text. */
  json(column: string): string;
  /** A text column in the order of its bytes, for ORDER BY. */
  bytes(column: string): string;
  /** Whether many rows can be sorted by that: else it takes the time of hundreds of others. */
  readonly sortsBytes: boolean;
  /** All columns: rows with `table`, `column` and `type`. */
  readonly columns: string;
  /** Whether `columns` leaves out tables that the user may not read. */
  readonly hidesTables?: boolean;
  /** Whether the engine checks the declared lengths of texts. */
  readonly checksLengths: boolean;
}

/** A value for a column. */
export type Cell = Parameter | boolean | null;

/** An open database whose rows are changed one by one: what it reads is as it is now. */
export interface ChangeableDatabase extends Database {
  /** The greatest id of an experiment. */
  readonly greatestId: string;
  /** Brings the engine's numbering of experiments behind those that were inserted with an id; absent: it does so itself. */
  readonly renumber?: string;
  /** Keeps others from making experiments until the transaction ends; absent: a transaction does so itself. */
  readonly lockExperiments?: string;
  /** Executes a statement that changes rows; their number. */
  change(sql: string, cells?: readonly Cell[]): Promise<number>;
  /** Begins a transaction that may write, waiting for others. */
  begin(): Promise<void>;
  commit(): Promise<void>;
  rollback(): Promise<void>;
}

/** An open database that many rows are written to. */
export interface WritableDatabase extends ChangeableDatabase {
  /** Inserts rows by the engine's own means, but those whose key is there already; how many. */
  insert(table: InsertedTable, rows: ReadonlyArray<readonly Cell[]>): Promise<number>;
}

/** A table and the columns of it that rows are inserted with; `key` is its primary key. */
export interface InsertedTable {
  readonly table: string;
  readonly columns: readonly string[];
  readonly key: readonly string[];
}

/** An open database in one read-only snapshot. Texts of SQL have `?` for parameters and names in double quotes. */
export interface Database {
  readonly dialect: Dialect;
  /** All rows of a query: for few of them. */
  rows(sql: string, parameters?: readonly Parameter[]): Promise<readonly Row[]>;
  /**
   * The rows of a query as lists of values, in pieces of at most 1000; several may be read at the same time. Its ORDER BY must
   * leave no two rows to chance, and it has neither LIMIT nor OFFSET.
   */
  stream(sql: string, parameters?: readonly Parameter[]): AsyncIterable<ReadonlyArray<readonly unknown[]>>;
  close(): Promise<void>;
}

/** Rows in a piece of {@link Database.stream}. */
export const PIECE = 1000;

/** Rows of a result that a database server is asked for at first: most results end with them, and need no more than one question. */
export const FIRST = 10_000;

/** Rows in pieces. */
export function* inPieces<T>(rows: readonly T[]): Generator<readonly T[]> {
  for (let at = 0; at < rows.length; at += PIECE) yield rows.slice(at, at + PIECE);
}

/** As many placeholders as there are values, for IN. */
export function placeholders(values: readonly unknown[]): string {
  return values.map(() => '?').join(', ');
}

/** The end of an INSERT whose row may be there already: sets these columns of it, or leaves it as it is. */
export function onConflict(key: readonly string[], set: readonly string[] = []): string {
  if (set.length === 0) return ' ON CONFLICT DO NOTHING';
  const columns = key.map((name) => `"${name}"`).join(', ');
  return ` ON CONFLICT (${columns}) DO UPDATE SET ${set.map((name) => `"${name}" = excluded."${name}"`).join(', ')}`;
}

/** The beginning of an INSERT, up to where its rows come from. */
export function insertInto({ table, columns }: InsertedTable): string {
  return `INSERT INTO "${table}" (${columns.map((name) => `"${name}"`).join(', ')})`;
}
