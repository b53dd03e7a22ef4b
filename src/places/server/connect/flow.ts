import { setTimeout as sleep } from 'node:timers/promises';
import pLimit, { type LimitFunction } from 'p-limit';

/**
 * Requests that are limited apart from each other, because a server has trouble with one kind and not with another:
 * whole histories cost an MLflow server memory, searches its database, files its disk or network.
 */
export type RequestClass = 'search' | 'history' | 'write' | 'bytes' | 'read';

/** Time, so that tests need not wait. Both in ms. */
export interface Clock {
  now(): number;
  /** Ends early with an AbortError. */
  pause(ms: number): Promise<void>;
}

/** The place of one request among those under way; says how it went, and leaves. */
export interface Slot {
  /** The server answered as it should. */
  good(): void;
  /** The server was overloaded (429, 503, a timeout …) and asked to wait `retryAfter` ms. */
  overloaded(retryAfter: number | undefined): void;
  /** Makes room for the next; more than once is harmless. */
  leave(): void;
}

/** How many requests, how fast, and how many repeats one server gets. */
export interface Flow {
  /** Waits until one more request of its class may start. */
  enter(kind: RequestClass): Promise<Slot>;
  /** Takes one repeat off the budget; false when it is used up. */
  takeRepeat(): boolean;
}

/** What a flow is made with. */
export interface FlowOptions {
  /** Runs in flight. */
  readonly concurrency: number;
  /** Most requests that start in a second; `undefined`: no limit. */
  readonly maxRequestsPerSecond: number | undefined;
  readonly clock: Clock;
}

/** Repeats that a job has for one server at any time. A dead server is given up after far fewer, by the single request. */
export const REPEATS = 200;
/** What each good answer gives back: a server that fails one request in five for good is not worth going on with. */
const GIVEN_BACK = 0.25;

/** The real clock; `signal` ends its pauses. */
export function realClock(signal: AbortSignal): Clock {
  return { now: () => performance.now(), pause: (ms) => sleep(ms, undefined, { signal }) };
}

/**
 * Flow control of one server. Each class of requests has a window of requests under way that begins at its limit, is
 * halved by an overload (once for all requests that were under way then) and grows by one with each window of good
 * answers. A `Retry-After` holds back the whole class.
 */
export function createFlow({ concurrency, maxRequestsPerSecond, clock }: FlowOptions): Flow {
  const half = Math.max(1, Math.ceil(concurrency / 2));
  const windows: Readonly<Record<RequestClass, Window>> = {
    search: createWindow(half),
    history: createWindow(half),
    write: createWindow(concurrency),
    bytes: createWindow(concurrency * 2),
    read: createWindow(concurrency * 2),
  };
  const gap = maxRequestsPerSecond === undefined ? 0 : 1000 / maxRequestsPerSecond;
  let nextStart = 0;
  let repeats = REPEATS;

  return {
    async enter(kind) {
      const window = windows[kind];
      const leave = await takePlace(window.limit);
      try {
        await untilPassed(() => window.heldUntil, clock);
        if (gap > 0) {
          const now = clock.now();
          const start = Math.max(now, nextStart);
          nextStart = start + gap;
          if (start > now) await clock.pause(start - now);
        }
      } catch (error) {
        leave();
        throw error;
      }
      const number = window.started++;
      return {
        good() {
          repeats = Math.min(REPEATS, repeats + GIVEN_BACK);
          resize(window, window.size + 1 / window.size);
        },
        overloaded(retryAfter) {
          if (retryAfter !== undefined)
            window.heldUntil = Math.max(window.heldUntil, clock.now() + retryAfter);
          if (number < window.halvedAt) return;
          window.halvedAt = window.started;
          resize(window, window.size / 2);
        },
        leave,
      };
    },
    takeRepeat() {
      if (repeats < 1) return false;
      repeats--;
      return true;
    },
  };
}

interface Window {
  readonly limit: LimitFunction;
  readonly most: number;
  size: number;
  /** Requests started so far. */
  started: number;
  /** Requests with a smaller number were under way at the last halving: they do not halve again. */
  halvedAt: number;
  heldUntil: number;
}

function createWindow(most: number): Window {
  return { limit: pLimit(most), most, size: most, started: 0, halvedAt: 0, heldUntil: 0 };
}

function resize(window: Window, size: number): void {
  window.size = Math.min(window.most, Math.max(1, size));
  const whole = Math.floor(window.size);
  if (window.limit.concurrency !== whole) window.limit.concurrency = whole;
}

/** Waits for a free place; the function gives it back. */
function takePlace(limit: LimitFunction): Promise<() => void> {
  return new Promise((resolve) => {
    void limit(() => new Promise<void>((leave) => resolve(() => leave())));
  });
}

/** Waits until a moment that may be put off meanwhile. */
async function untilPassed(moment: () => number, clock: Clock): Promise<void> {
  for (let wait = moment() - clock.now(); wait > 0; wait = moment() - clock.now()) await clock.pause(wait);
}
