import { z } from 'zod';
import { MlferryError } from '../../../util/errors.ts';
import { checkedRows, type Store } from './store.ts';

/** The workspace that exists without being made (mlflow/utils/workspace_utils.py). */
export const DEFAULT_WORKSPACE = 'default';

const row = z.object({ workspace: z.string() });
const nameRow = z.object({ name: z.string() });

/** The workspaces that hold experiments or registered models. */
export async function heldWorkspaces(store: Pick<Store, 'database' | 'tables'>): Promise<string[]> {
  const held = new Set<string>();
  for (const table of ['experiments', 'registered_models']) {
    if (!store.tables.has(table, 'workspace')) continue;
    const rows = await checkedRows(store, row, `SELECT DISTINCT "workspace" FROM "${table}"`);
    for (const { workspace } of rows) held.add(workspace);
  }
  return [...held].sort();
}

/**
 * The workspace to read or write: the wanted one, else `default`; `undefined` where the database has none. Throws LOCATION for one that
 * was not made and holds nothing.
 */
export async function chosenWorkspace(
  store: Pick<Store, 'database' | 'tables'>,
  wanted: string | undefined,
  location: string,
): Promise<string | undefined> {
  if (!store.tables.has('experiments', 'workspace')) {
    if (wanted === undefined || wanted === DEFAULT_WORKSPACE) return undefined;
    throw new MlferryError('LOCATION', `${location} has no workspaces: they came with MLflow 3.10`);
  }
  if (wanted === undefined || wanted === DEFAULT_WORKSPACE) return DEFAULT_WORKSPACE;
  const made = store.tables.has('workspaces')
    ? await checkedRows(store, nameRow, 'SELECT "name" FROM "workspaces"')
    : [];
  const held = await heldWorkspaces(store);
  if (held.includes(wanted) || made.some(({ name }) => name === wanted)) return wanted;
  throw new MlferryError('LOCATION', `${location} holds nothing in a workspace "${wanted}"`, {
    hint: `It has: ${held.join(', ')}.`,
  });
}
