import { z } from 'zod';
import { versionKey } from '../../../kinds/model-registry.ts';
import { nullableText, numericId, text } from '../read/cells.ts';
import { checkedRows, inWorkspace } from '../read/store.ts';
import { ownCells } from './registry-rows.ts';
import { type Cells, updateRow } from './rows.ts';
import type { Target } from './target.ts';

const copyRow = z.object({ name: z.string(), version: numericId, source: text });
const storageRow = z.object({ source: nullableText, storage_location: nullableText });

/**
 * Tells where the files are of versions that are copies of other versions: where those of these are. They may have come first, so
 * it is done when all are there.
 */
export async function locateCopies(target: Target): Promise<void> {
  const { where, parameters } = inWorkspace(target, 'model_versions');
  const copies = await checkedRows(
    target,
    copyRow,
    `SELECT ${target.tables.columns('model_versions', ['name', 'version', 'source'])} FROM "model_versions" WHERE ${where}` +
      ` AND "storage_location" IS NULL AND "source" LIKE 'models:/%' AND "source" NOT LIKE 'models:/m-%'`,
    parameters,
  );
  if (copies.length === 0) return;
  await target.transactions.run(copies.length, async () => {
    for (const version of copies) await locateCopy(target, version);
  });
}

async function locateCopy(target: Target, copied: z.infer<typeof copyRow>): Promise<void> {
  const { where, parameters } = inWorkspace(target, 'model_versions');
  const sql = `SELECT "source", "storage_location" FROM "model_versions" WHERE ${where} AND "name" = ? AND "version" = ?`;
  const seen = new Set<string>();
  let { source } = copied;
  while (/^models:\/+(?!m-)/.test(source) && !seen.has(source)) {
    seen.add(source);
    const { name, version } = versionKey(source.replace(/^models:\/+/, ''));
    if (!/^\d+$/.test(version)) return;
    const [original] = await checkedRows(target, storageRow, sql, [...parameters, name, version]);
    if (original?.storage_location !== undefined) {
      const own = ownCells(target, 'model_versions', { name: copied.name, version: copied.version });
      const place: Cells = [['storage_location', original.storage_location]];
      await updateRow(target.database, 'model_versions', own, place, []);
      return;
    }
    source = original?.source ?? '';
  }
}
