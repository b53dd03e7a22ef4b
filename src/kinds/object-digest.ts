import { createHash } from 'node:crypto';
import { withoutBookkeeping } from '../model/canonical.ts';
import { stringMap } from '../model/string-map.ts';
import type { ObjectKind, ObjectRecord } from './kind.ts';
import { marksOf } from './marks.ts';
import { canonicalLine } from './wire-record.ts';

/**
 * sha256 (hex) of what an object of a further kind holds, in the ids of its source: the same wherever it is read. Left
 * out is what its place decides, what it may give late, and mlferry's own bookkeeping tags.
 */
export function objectDigest(of: ObjectKind, record: ObjectRecord): string {
  const left = new Set(
    marksOf(of.schema).flatMap(({ placed, late, path }) => (placed === true || late === true ? path : [])),
  );
  const fields = Object.entries(record).filter(([field]) => !left.has(field));
  const tags = stringMap.safeParse(record.tags);
  const rest: ObjectRecord = {
    ...Object.fromEntries(fields),
    kind: of.kind,
    ...(tags.success ? { tags: withoutBookkeeping(tags.data) } : {}),
  };
  return createHash('sha256')
    .update(canonicalLine({ kind: 'object', of, record: rest }))
    .digest('hex');
}
