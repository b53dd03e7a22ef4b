import { z } from 'zod';
import { allowedText, fits, type TargetLimits } from '../../../model/mlflow/limits.ts';
import { MlferryError } from '../../../util/errors.ts';
import type { TagChanges } from '../../tag-changes.ts';
import { type Cell, type ChangeableDatabase, placeholders } from '../connect/database.ts';
import type { Tables } from '../connect/tables.ts';
import { checkedRows } from '../read/store.ts';

/** A condition on columns: each has this value. */
export type Where = Readonly<Record<string, string>>;

/** A table of keys and values, and whose rows are meant. */
export interface Pairs {
  readonly table: string;
  readonly own: Where;
  /** Columns, where they are not called so. */
  readonly key?: string;
  readonly value?: string;
  /** More columns of a new row. */
  readonly more?: Where;
}

/** An open database whose rows are changed. */
export interface Changeable {
  readonly database: ChangeableDatabase;
  readonly tables: Tables;
  readonly limits: TargetLimits;
}

const keyRow = z.object({ key: z.string() });

/** `"a" = ? AND "b" = ?` */
export function equal(where: Where): string {
  return Object.keys(where)
    .map((column) => `"${column}" = ?`)
    .join(' AND ');
}

/**
 * Sets and removes tags, params or aliases. Throws REFUSED, before anything is changed, for a key or value that the columns do not
 * hold, UNSUPPORTED where this version of MLflow has no such table.
 */
export async function setPairs(
  { database, tables, limits }: Changeable,
  { table, own, key = 'key', value = 'value', more = {} }: Pairs,
  changes: TagChanges,
): Promise<void> {
  if (!tables.has(table))
    throw new MlferryError('UNSUPPORTED', `This version of MLflow has no ${table} in its database`, {
      hint: 'mlflow db upgrade brings it up to date.',
    });
  const mustFit = (text: string, column: string) => {
    if (allowedText(text, limits) === text && fits(text, tables.length(table, column))) return;
    throw new MlferryError(
      'REFUSED',
      `${JSON.stringify(text.slice(0, 100))} is more than the column "${column}" of ${table} can hold`,
    );
  };
  for (const [name, text] of Object.entries(changes)) {
    if (text === null) continue;
    mustFit(name, key);
    mustFit(text, value);
  }
  const condition = equal(own);
  const cells = Object.values(own);
  // Compared here, letter by letter: to some engines keys of other case are the same.
  const rows = await checkedRows(
    { database },
    keyRow,
    `SELECT "${key}" AS "key" FROM "${table}" WHERE ${condition}`,
    cells,
  );
  const there = new Set(rows.map((row) => row.key));
  for (const [name, text] of Object.entries(changes)) {
    if (text === null) {
      if (there.has(name))
        await database.change(`DELETE FROM "${table}" WHERE ${condition} AND "${key}" = ?`, [...cells, name]);
      continue;
    }
    if (there.has(name)) {
      const sql = `UPDATE "${table}" SET "${value}" = ? WHERE ${condition} AND "${key}" = ?`;
      await database.change(sql, [text, ...cells, name]);
      continue;
    }
    await insertRow({ database }, table, { ...own, ...more, [key]: name, [value]: text });
  }
}

/** Inserts a row of these columns. */
export async function insertRow(
  { database }: Pick<Changeable, 'database'>,
  table: string,
  row: Readonly<Record<string, Cell>>,
): Promise<void> {
  const columns = Object.keys(row)
    .map((column) => `"${column}"`)
    .join(', ');
  const cells = Object.values(row);
  await database.change(`INSERT INTO "${table}" (${columns}) VALUES (${placeholders(cells)})`, cells);
}
