import type { StringMap } from '../../../model/string-map.ts';
import { ownValue } from '../../../model/string-map.ts';
import { MlferryError } from '../../../util/errors.ts';
import {
  type Cell,
  insertInto,
  onConflict,
  placeholders,
  type WritableDatabase,
} from '../connect/database.ts';
import type { Store } from '../read/store.ts';

/** Columns with their values. */
export type Cells = ReadonlyArray<readonly [column: string, cell: Cell]>;

/** Where objects have maps of texts: in a table, a row for each key. */
export interface TextTable {
  readonly table: string;
  readonly key: string;
  readonly value: string;
  /** Whose row it is, by the columns of the primary key beside `key`. */
  readonly own: Cells;
  /** Columns beside those. */
  readonly more?: Cells;
}

const columnsOf = (cells: Cells) => cells.map(([column]) => column);
const valuesOf = (cells: Cells) => cells.map(([, cell]) => cell);
const quoted = (cells: Cells, between: string) => cells.map(([column]) => `"${column}" = ?`).join(between);

/** Inserts a row. Throws REFUSED where one of its key is there, which is left as it is: another process made it meanwhile. */
export async function insertRow(
  database: WritableDatabase,
  table: string,
  key: readonly string[],
  cells: Cells,
): Promise<number> {
  const sql = insertInto({ table, columns: columnsOf(cells), key });
  const rows = await database.change(
    `${sql} VALUES (${placeholders(cells)})${onConflict(key)}`,
    valuesOf(cells),
  );
  if (rows > 0) return rows;
  throw new MlferryError(
    'REFUSED',
    `Another process has made it meanwhile (${table}): it was left as it is`,
    {
      hint: 'Copy it again: what is the same counts as there.',
    },
  );
}

/** Changes the columns of the row of this key that differ from what is there; how many rows that are. */
export async function updateRow(
  database: WritableDatabase,
  table: string,
  own: Cells,
  wanted: Cells,
  present: Cells,
): Promise<number> {
  const before = new Map(present);
  const changed = wanted.filter(([column, cell]) => before.get(column) !== cell);
  if (changed.length === 0) return 0;
  const sql = `UPDATE "${table}" SET ${quoted(changed, ', ')} WHERE ${quoted(own, ' AND ')}`;
  return database.change(sql, [...valuesOf(changed), ...valuesOf(own)]);
}

/** Sets the texts of a map that differ from what is there; how many. */
export async function setTexts(
  database: WritableDatabase,
  { table, key, value, own, more = [] }: TextTable,
  wanted: StringMap,
  present: StringMap = {},
): Promise<number> {
  const beside = [...own, ...more];
  const columns = [...columnsOf(beside), key, value];
  const into = { table, columns, key: [...columnsOf(own), key] };
  const stale = Object.entries(wanted).filter(([name, text]) => ownValue(present, name) !== text);
  const rowOf = ([name, text]: readonly [string, string]) => [...valuesOf(beside), name, text];
  const added = stale.filter(([name]) => ownValue(present, name) === undefined);
  let changes = await database.insert(into, added.map(rowOf));
  // What somebody else has set meanwhile is set, too.
  const others = changes === added.length ? stale.filter((each) => !added.includes(each)) : stale;
  const sql = `${insertInto(into)} VALUES (${placeholders(columns)})${onConflict(into.key, [value])}`;
  for (const each of others) changes += await database.change(sql, rowOf(each));
  return changes;
}

/** Those cells whose columns this version of MLflow has. */
export function held({ tables }: Pick<Store, 'tables'>, table: string, cells: Cells): Cells {
  return cells.filter(([column]) => tables.has(table, column));
}

/** The cell that tells the workspace of a row, where its table has one. */
export function workspaceCell(
  { tables, workspace }: Pick<Store, 'tables' | 'workspace'>,
  table: string,
): Cells {
  return workspace !== undefined && tables.has(table, 'workspace') ? [['workspace', workspace]] : [];
}
