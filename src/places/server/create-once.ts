import { MlferryError } from '../../util/errors.ts';
import { pause, type RetryPolicy, retryDelay } from '../../util/retry.ts';

const POLICY: RetryPolicy = { retries: 4, factor: 500, jitter: 500, cap: 30_000 };

/** Whether the server may have done what an error says failed: the answer was lost, or was a 5xx. */
export function isPerhapsDone(error: unknown): boolean {
  return error instanceof MlferryError && ['UNAVAILABLE', 'SERVER_ERROR', 'NOT_MLFLOW'].includes(error.code);
}

/**
 * Sends a create whose answer may get lost. Before it is sent again the object is looked up, twice: the first try may
 * still be committing when the first look comes. If it commits later still there are two: `onAgain` is called before a
 * second try. Throws what `send` threw last; a server error is tried again once only.
 */
export async function createOnce<T>(
  send: () => Promise<T>,
  find: () => Promise<T | undefined>,
  signal: AbortSignal,
  onAgain: () => void = () => undefined,
): Promise<T> {
  for (let attempt = 0; ; attempt++) {
    try {
      return await send();
    } catch (error) {
      if (!isPerhapsDone(error)) throw error;
      const found = (await find()) ?? (await later(find, attempt, signal));
      if (found !== undefined) return found;
      const most = error instanceof MlferryError && error.code === 'SERVER_ERROR' ? 1 : POLICY.retries;
      if (attempt >= most) throw error;
      onAgain();
    }
  }
}

async function later<T>(find: () => Promise<T>, attempt: number, signal: AbortSignal): Promise<T> {
  await pause(retryDelay(POLICY, attempt, undefined), signal);
  return find();
}
