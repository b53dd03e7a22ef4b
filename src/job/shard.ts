import { createHash } from 'node:crypto';

/** One of `count` parts of the runs of a source: those whose ids fall to it, whoever asks. */
export interface Shard {
  /** From 1 to `count`. */
  readonly index: number;
  readonly count: number;
}

/** Whether a run belongs to a shard: by a hash of its id. */
export function isInShard(run_id: string, { index, count }: Shard): boolean {
  return createHash('sha256').update(run_id).digest().readUInt32BE() % count === index - 1;
}
