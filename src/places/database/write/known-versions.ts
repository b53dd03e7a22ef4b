import { z } from 'zod';
import { DIGEST_TAG, ORIGIN_TAG } from '../../../model/canonical.ts';
import { nullableText, numericId } from '../read/cells.ts';
import { DELETED } from '../read/registry.ts';
import { checkedRows, inWorkspace } from '../read/store.ts';
import type { Target } from './target.ts';

const row = z.object({ name: z.string(), version: numericId, origin: z.string(), digest: nullableText });

/** Origin and digest of the copies of model versions that a database holds, by name and number: `<name>/<version>`. */
export async function readKnownVersions(
  target: Target,
): Promise<ReadonlyMap<string, { readonly origin: string; readonly digest: string | undefined }>> {
  const { where, parameters } = inWorkspace(target, 'model_versions');
  const same = [
    'name',
    'version',
    ...(target.tables.has('model_versions', 'workspace') ? ['workspace'] : []),
  ];
  const tag = (name: string, key: string) =>
    `"model_version_tags" AS "${name}" ON "${name}"."key" = '${key}'` +
    same.map((column) => ` AND "${name}"."${column}" = "model_versions"."${column}"`).join('');
  const rows = await checkedRows(
    target,
    row,
    `SELECT ${target.tables.columns('model_versions', ['name', 'version'])}, "origins"."value" AS "origin", "digests"."value" AS "digest"` +
      ` FROM "model_versions" JOIN ${tag('origins', ORIGIN_TAG)} LEFT JOIN ${tag('digests', DIGEST_TAG)}` +
      ` WHERE ${where} AND COALESCE("model_versions"."current_stage", '') <> '${DELETED}'`,
    parameters,
  );
  return new Map(rows.map(({ name, version, ...marks }) => [`${name}/${version}`, marks]));
}
