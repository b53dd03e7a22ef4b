import { setTimeout as sleep } from 'node:timers/promises';

/** How often and how patiently something is tried again. Times in ms. */
export interface RetryPolicy {
  /** Tries after the first one. */
  readonly retries: number;
  /** Wait before the first repeat; doubled each time. */
  readonly factor: number;
  /** Most that chance adds to a wait, so that many clients do not come back at once. */
  readonly jitter: number;
  /** Longest wait, whatever the server asks for. */
  readonly cap: number;
}

/**
 * Wait in ms before repeat number `attempt` (0 = the first repeat). What the server asked for (`retryAfter`, ms) is
 * never undercut, except by the cap. `random` gives [0, 1).
 */
export function retryDelay(
  policy: RetryPolicy,
  attempt: number,
  retryAfter: number | undefined,
  random: () => number = Math.random,
): number {
  const backoff = policy.factor * 2 ** attempt;
  const wait = Math.max(backoff, retryAfter ?? 0);
  return Math.min(policy.cap, wait + random() * Math.min(policy.jitter, backoff));
}

/** ms that a `Retry-After` header (seconds or an HTTP date) asks to wait, counted from `now` (ms since the epoch). */
export function parseRetryAfter(header: string | undefined, now: number): number | undefined {
  if (header === undefined) return undefined;
  const text = header.trim();
  if (/^\d{1,9}$/.test(text)) return Number(text) * 1000;
  const date = /[a-z]/i.test(text) ? Date.parse(text) : Number.NaN;
  return Number.isNaN(date) ? undefined : Math.max(0, date - now);
}

/** Waits `ms`; an abort ends the wait with an AbortError. */
export async function pause(ms: number, signal: AbortSignal): Promise<void> {
  await sleep(ms, undefined, { signal });
}
