import { createHash } from 'node:crypto';
import { toJson } from '../model/json.ts';
import type { Selection } from '../model/selection.ts';
import { placeAt } from '../places/registry.ts';
import type { RenameRule } from './rename.ts';
import type { Shard } from './shard.ts';

/** What makes two commands the same job: both places, and whatever changes the result. No credentials. */
export interface JobIdentity {
  readonly from: string;
  readonly to: string;
  readonly selection: Selection;
  readonly rename: readonly RenameRule[];
  readonly into: string | null;
  readonly rename_models?: readonly RenameRule[];
  /** See `partsKey`. */
  readonly parts: object;
  readonly artifacts_dir: string | null;
  readonly shard?: Shard;
}

/** 12 hex digits that name a job. */
export function jobId(identity: JobIdentity): string {
  const sorted = (value: unknown): unknown =>
    value !== null && typeof value === 'object' && !Array.isArray(value)
      ? Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)))
      : value;
  const text = toJson(
    Object.entries(identity)
      .map(([name, value]) => [name, sorted(value)])
      .sort(),
  );
  return createHash('sha256').update(text).digest('hex').slice(0, 12);
}

/**
 * One text for one place, however it was written, without credentials. `undefined` for a pipe, which nothing can be
 * resumed from. Throws LOCATION.
 */
export function placeName(location: string): string | undefined {
  return placeAt(location).identity();
}
