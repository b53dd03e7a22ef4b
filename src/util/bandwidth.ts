import { pipeline, type Readable, Transform } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { MlferryError } from './errors.ts';

/** A limit of bytes a second, shared by everything that is given it. */
export interface Bandwidth {
  /** Waits until so many bytes may pass. Ends early with an AbortError. */
  take(bytes: number, signal?: AbortSignal): Promise<void>;
}

/** Time, so that tests need not wait. Both in ms. */
interface Clock {
  now(): number;
  pause(ms: number, signal?: AbortSignal): Promise<void>;
}

const REAL: Clock = {
  now: () => performance.now(),
  pause: (ms, signal) => sleep(ms, undefined, signal === undefined ? {} : { signal }),
};

/** What may pass at once after a pause, in ms of the whole rate. */
const BURST = 250;

/** A token bucket: `bytesPerSecond` on average, never more than a quarter of a second's worth at once beyond it. */
export function limitBandwidth(bytesPerSecond: number, clock: Clock = REAL): Bandwidth {
  /** When all that was taken so far has passed. */
  let paid = Number.NEGATIVE_INFINITY;
  return {
    async take(bytes, signal) {
      const now = clock.now();
      paid = Math.max(paid, now - BURST) + (bytes / bytesPerSecond) * 1000;
      if (paid > now) await clock.pause(paid - now, signal);
    },
  };
}

/** The same limit, whose waits end with a job's signal: INTERRUPTED. */
export function untilAborted(bandwidth: Bandwidth | undefined, signal: AbortSignal): Bandwidth | undefined {
  if (bandwidth === undefined) return undefined;
  return {
    async take(bytes, own) {
      try {
        await bandwidth.take(bytes, own === undefined ? signal : AbortSignal.any([signal, own]));
      } catch (error) {
        if (!signal.aborted) throw error;
        throw new MlferryError('INTERRUPTED', 'Interrupted', { cause: error });
      }
    },
  };
}

/** A stream of the same bytes that flow as the limit lets them; it fails as the other does, which is destroyed with it. */
export function paced(body: Readable, bandwidth: Bandwidth | undefined): Readable {
  if (bandwidth === undefined) return body;
  const destroyed = new AbortController();
  const pace = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      bandwidth.take(chunk.length, destroyed.signal).then(() => done(null, chunk), done);
    },
    destroy(error, done) {
      destroyed.abort();
      done(error);
    },
  });
  // Whoever reads it hears of its errors.
  return pipeline(body, pace, () => undefined);
}
