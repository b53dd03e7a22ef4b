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
