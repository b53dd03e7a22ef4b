import type { Findings } from '../model/findings.ts';

/** Tells whether something was found of an object from now on: what could not be read of it, also by a reader that only tells so. */
export function notedSince({ noted }: Findings, id: string): () => boolean {
  const before = noted?.(id);
  return () => noted?.(id) !== before;
}
