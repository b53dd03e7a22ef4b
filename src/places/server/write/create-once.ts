import { MlferryError } from '../../../util/errors.ts';
import { pause, type RetryPolicy, retryDelay } from '../../../util/retry.ts';

/** How a lost answer is dealt with: as often and as patiently as any request. */
export interface Patience {
  readonly backoff: RetryPolicy;
  readonly signal: AbortSignal;
}

/** Whether the server may have done what an error says failed: the answer was lost, or was a 5xx. */
export function isPerhapsDone(error: unknown): boolean {
  return error instanceof MlferryError && ['UNAVAILABLE', 'SERVER_ERROR', 'NOT_MLFLOW'].includes(error.code);
}

/**
 * Sends a create whose answer may get lost. Before it is sent again the object is looked up, twice: the first try may
 * still be committing when the first look comes. If it commits later still there are two: `onAgain` is called before a
 * second try; where the server allows only one, it refuses that try, and the first is found. Throws what `send` threw
 * last; a server error is tried again once only.
 */
export async function createOnce<T>(
  send: () => Promise<T>,
  find: () => Promise<T | undefined>,
  patience: Patience,
  onAgain: () => void = () => undefined,
): Promise<T> {
  for (let attempt = 0; ; attempt++) {
    try {
      return await send();
    } catch (error) {
      if (!isPerhapsDone(error)) {
        const first = attempt > 0 && isRefused(error) ? await find() : undefined;
        if (first === undefined) throw error;
        return first;
      }
      const found = (await find()) ?? (await later(find, attempt, patience));
      if (found !== undefined) return found;
      const most =
        error instanceof MlferryError && error.code === 'SERVER_ERROR' ? 1 : patience.backoff.retries;
      if (attempt >= most) throw error;
      onAgain();
    }
  }
}

/** Whether the server said no: there is one already, or it takes none like this. */
export function isRefused(error: unknown): boolean {
  return error instanceof MlferryError && error.code === 'REFUSED';
}

async function later<T>(find: () => Promise<T>, attempt: number, { backoff, signal }: Patience): Promise<T> {
  await pause(retryDelay(backoff, attempt, undefined), signal);
  return find();
}
