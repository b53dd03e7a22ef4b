import { z } from 'zod';
import type { ArtifactStores } from '../../../artifacts/stores.ts';
import type { Failure, Loss } from '../../../model/findings.ts';
import type { StringMap } from '../../../model/string-map.ts';
import { MlferryError } from '../../../util/errors.ts';
import type { PointStore } from '../../reading/point-store.ts';
import { type Database, type Parameter, placeholders } from '../connect/database.ts';
import type { Tables } from '../connect/tables.ts';
import { numericId, text } from './cells.ts';
import type { ArtifactLocator } from './locate-artifacts.ts';

/** An open database of MLflow, and where what is found in it goes. */
export interface Store {
  readonly database: Database;
  readonly tables: Tables;
  /** The workspace that is read; `undefined` where the database has none (before MLflow 3.10). */
  readonly workspace: string | undefined;
  readonly stores: ArtifactStores;
  readonly locate: ArtifactLocator;
  /** Where points are put aside that come in another order than they are wanted. */
  keepPoints(): PointStore;
  /** Notes a loss, once. */
  note(loss: Loss): void;
  failure(failure: Failure): void;
  /** Notes what cannot be read, once. */
  fail(object: string, error: unknown, run_id?: string): void;
}

/** Ids in one query: engines limit the number of parameters. */
export const IDS = 500;

/** The rows of a query, checked. Throws SOURCE_ITEM for one that MLflow did not write. */
export async function checkedRows<T>(
  { database }: Pick<Store, 'database'>,
  schema: z.ZodType<T>,
  sql: string,
  parameters: readonly Parameter[] = [],
): Promise<T[]> {
  return (await database.rows(sql, parameters)).map((row) => {
    const parsed = schema.safeParse(row);
    if (parsed.success) return parsed.data;
    throw unreadable(`A row (${[...Object.values(row)].map(String).join(', ').slice(0, 100)})`, parsed.error);
  });
}

/** The error of something that MLflow did not write so. */
export function unreadable(object: string, { issues: [issue] }: z.ZodError): MlferryError {
  const field = issue?.path.map(String).join('.') ?? '';
  return new MlferryError(
    'SOURCE_ITEM',
    `${object} is not what MLflow writes: ${field} ${issue?.message ?? ''}`,
  );
}

/** The rows of a query that asks for ids with `IN (…)`, for any number of them. */
export async function rowsOf<T>(
  store: Pick<Store, 'database'>,
  schema: z.ZodType<T>,
  ids: readonly string[],
  sql: (list: string) => string,
): Promise<T[]> {
  const rows: T[] = [];
  for (let at = 0; at < ids.length; at += IDS) {
    const some = ids.slice(at, at + IDS);
    for (const row of await checkedRows(store, schema, sql(`(${placeholders(some)})`), some)) rows.push(row);
  }
  return rows;
}

const pairRow = z.object({ id: z.union([z.string(), numericId]), key: z.string(), value: text });

/**
 * Asks a table of keys and values for those of some objects; `own` is the column that tells whose they are. The answer has the map
 * of each.
 */
export async function pairsOf(
  store: Pick<Store, 'database' | 'tables'>,
  { table, own, key = 'key', value = 'value' }: { table: string; own: string; key?: string; value?: string },
  ids: readonly string[],
): Promise<(id: string) => StringMap> {
  const columns = `${store.tables.value(table, own)} AS "id", "${key}" AS "key", "${value}" AS "value"`;
  const rows = !store.tables.has(table)
    ? []
    : await rowsOf(
        store,
        pairRow,
        ids,
        (list) => `SELECT ${columns} FROM "${table}" WHERE "${own}" IN ${list}`,
      );
  const byId = Map.groupBy(rows, ({ id }) => id);
  return (id) => mapOf(byId.get(id));
}

/** The map of some rows. */
export function mapOf(rows: ReadonlyArray<{ key: string; value: string }> = []): StringMap {
  return Object.fromEntries(rows.map(({ key, value }) => [key, value]));
}

/** A condition on a table's own workspace, with its parameter: nothing where there are none. */
export function inWorkspace(
  { tables, workspace }: Pick<Store, 'tables' | 'workspace'>,
  table: string,
): { readonly where: string; readonly parameters: readonly string[] } {
  if (workspace === undefined || !tables.has(table, 'workspace')) return { where: '1 = 1', parameters: [] };
  return { where: `"${table}"."workspace" = ?`, parameters: [workspace] };
}
