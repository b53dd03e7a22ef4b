import { z } from 'zod';
import { invalid } from './refusal.ts';

const tokenSchema = z.object({ offset: z.int().nonnegative() });

/** Where a page begins, by MLflow's own form of a token (mlflow/utils/search_utils.py). */
export function offsetOf(token: string | undefined): number {
  if (token === undefined) return 0;
  try {
    return tokenSchema.parse(JSON.parse(Buffer.from(token, 'base64').toString())).offset;
  } catch {
    throw invalid('page_token is none that was given out here');
  }
}

/** The token of the page that begins there. */
export const tokenOf = (offset: number): string => Buffer.from(JSON.stringify({ offset })).toString('base64');

/** One page of a list, and the token of the next one, where there is more. */
export function pageOf<T>(
  all: readonly T[],
  most: number,
  token: string | undefined,
): { readonly items: readonly T[]; readonly next_page_token: string | undefined } {
  const start = offsetOf(token);
  const end = start + most;
  return { items: all.slice(start, end), next_page_token: end < all.length ? tokenOf(end) : undefined };
}
