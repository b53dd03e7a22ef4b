import { z } from 'zod';
import { MlferryError } from '../../../util/errors.ts';
import { checkedRows, type Store } from './store.ts';

/** The workspace that exists without being made (mlflow/utils/workspace_utils.py). */
const DEFAULT = 'default';

const row = z.object({ workspace: z.string() });

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
 * The workspace to read: the wanted one, else `default`; `undefined` where the database has none. Throws LOCATION for one that
 * holds nothing.
 */
export async function chosenWorkspace(
  store: Pick<Store, 'database' | 'tables'>,
  wanted: string | undefined,
  location: string,
): Promise<string | undefined> {
  if (!store.tables.has('experiments', 'workspace')) {
    if (wanted === undefined || wanted === DEFAULT) return undefined;
    throw new MlferryError('LOCATION', `${location} has no workspaces: they came with MLflow 3.10`);
  }
  if (wanted === undefined || wanted === DEFAULT) return DEFAULT;
  const held = await heldWorkspaces(store);
  if (held.includes(wanted)) return wanted;
  throw new MlferryError('LOCATION', `${location} holds nothing in a workspace "${wanted}"`, {
    hint: `It has: ${held.join(', ')}.`,
  });
}
