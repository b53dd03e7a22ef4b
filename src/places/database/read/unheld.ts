import { z } from 'zod';
import { type Selection, wantsWholeExperiments } from '../../../model/selection.ts';
import { integer } from './cells.ts';
import { checkedRows, type Store } from './store.ts';
import { heldWorkspaces } from './workspaces.ts';

/** Content of databases that mlferry does not carry: table, words, and which of its rows. */
const TABLES: ReadonlyArray<{ readonly table: string; readonly words: string; readonly but?: string }> = [
  { table: 'issues', words: 'issues of traces' },
  { table: 'label_schemas', words: 'label schemas', but: 'NOT "is_default"' },
  { table: 'review_queues', words: 'review queues' },
  { table: 'online_scoring_configs', words: 'settings of online scoring' },
  { table: 'mcp_servers', words: 'MCP servers' },
];

const countRow = z.object({ count: integer });

/**
 * Tells what a selection of everything leaves out: content of kinds that no place holds, and other workspaces where none was
 * named.
 */
export async function noteUnheld(store: Store, selection: Selection, namesWorkspace: boolean): Promise<void> {
  if (!wantsWholeExperiments(selection) || selection.experiments.length > 0) return;
  const found: string[] = [];
  let count = 0;
  for (const { table, words, but } of TABLES) {
    if (!store.tables.has(table)) continue;
    const where = but === undefined ? '' : ` WHERE ${but}`;
    const [row] = await checkedRows(store, countRow, `SELECT count(*) AS "count" FROM "${table}"${where}`);
    const rows = Number(row?.count ?? 0);
    if (rows > 0) found.push(`${words} (${rows})`);
    count += rows;
  }
  if (found.length > 0) {
    const detail = `The database also holds what mlferry does not carry: ${found.join(', ')}`;
    store.note({ code: 'KIND_NOT_HELD', count, detail });
  }
  if (namesWorkspace || store.workspace === undefined) return;
  const others = (await heldWorkspaces(store)).filter((workspace) => workspace !== store.workspace);
  if (others.length === 0) return;
  const detail = `The database has other workspaces, which are left out: ${others.join(', ')}. …?workspace=NAME at the end of a location is one of them`;
  store.note({ code: 'KIND_NOT_HELD', count: others.length, detail });
}
