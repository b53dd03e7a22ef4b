import { z } from 'zod';
import { DIGEST_TAG, ORIGIN_TAG, originId } from '../../../model/canonical.ts';
import { nullableText, numericId } from '../read/cells.ts';
import { checkedRows } from '../read/store.ts';
import type { Target } from './target.ts';

/** A copy of a trace. */
export interface KnownTrace {
  readonly trace_id: string;
  readonly experiment_id: string;
  readonly digest: string | undefined;
}

/** Traces in one query. */
const PAGE = 5000;

const row = z.object({
  request_id: z.string(),
  experiment_id: numericId,
  origin: z.string(),
  digest: nullableText,
});

/** Source trace_id → its copies. */
export async function readKnownTraces(target: Target): Promise<Map<string, KnownTrace[]>> {
  const sql =
    `SELECT ${target.tables.columns('trace_info', ['request_id', 'experiment_id'])}, "origins"."value" AS "origin", "digests"."value" AS "digest"` +
    ' FROM "trace_tags" AS "origins" JOIN "trace_info" ON "trace_info"."request_id" = "origins"."request_id"' +
    ` LEFT JOIN "trace_tags" AS "digests" ON "digests"."request_id" = "origins"."request_id" AND "digests"."key" = '${DIGEST_TAG}'` +
    ` WHERE "origins"."key" = '${ORIGIN_TAG}' AND "origins"."request_id" > ? ORDER BY "origins"."request_id" LIMIT ${PAGE}`;
  const copies = new Map<string, KnownTrace[]>();
  for (let after = ''; ; ) {
    const rows = await checkedRows(target, row, sql, [after]);
    for (const { request_id: trace_id, origin, ...rest } of rows) {
      const source = originId(origin);
      copies.set(source, [...(copies.get(source) ?? []), { trace_id, ...rest }]);
    }
    const last = rows.at(-1)?.request_id;
    if (last === undefined || rows.length < PAGE) return copies;
    after = last;
  }
}
