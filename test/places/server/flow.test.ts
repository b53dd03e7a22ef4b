import { describe, expect, test } from 'vitest';
import {
  type Clock,
  createFlow,
  type Flow,
  REPEATS,
  type Slot,
} from '../../../src/places/server/connect/flow.ts';

/** A clock that jumps: a pause is over at once, and the time is later. Pauses of others at that moment end with it. */
function fakeClock(): Clock & { time: number; readonly pauses: number[] } {
  const clock = {
    time: 0,
    pauses: [] as number[],
    now: () => clock.time,
    async pause(ms: number) {
      clock.pauses.push(ms);
      clock.time += ms;
    },
  };
  return clock;
}

const flowOf = (clock: Clock, concurrency = 8, maxRequestsPerSecond?: number): Flow =>
  createFlow({ concurrency, maxRequestsPerSecond, clock });

/** Everything that is possible without time passing has happened. */
const settled = () => new Promise<void>((resolve) => setImmediate(resolve));

/** As many requests as the flow lets start now, all under way. */
async function fill(flow: Flow, kind: Parameters<Flow['enter']>[0], tries = 40): Promise<Slot[]> {
  const slots: Slot[] = [];
  for (let index = 0; index < tries; index++) void flow.enter(kind).then((slot) => slots.push(slot));
  await settled();
  return slots;
}

describe('requests under way', () => {
  test('are limited by class, and one class does not wait for another', async () => {
    const flow = flowOf(fakeClock());
    expect(await fill(flow, 'write')).toHaveLength(8);
    expect(await fill(flow, 'history')).toHaveLength(4);
    expect(await fill(flow, 'search')).toHaveLength(4);
    expect(await fill(flow, 'bytes')).toHaveLength(16);
    expect(await fill(flow, 'read')).toHaveLength(16);
    expect(await fill(flowOf(fakeClock(), 1), 'history')).toHaveLength(1);
  });

  test('one that leaves makes room for one, however often it says so', async () => {
    const flow = flowOf(fakeClock());
    const slots = await fill(flow, 'write');
    slots[0]?.leave();
    slots[0]?.leave();
    await settled();
    expect(slots).toHaveLength(9);
  });

  /** How many are let in at once after these answers, given one after the other. */
  async function allowedAfter(flow: Flow, answers: ReadonlyArray<'good' | 'overloaded'>): Promise<number> {
    for (const answer of answers) {
      const slot = await flow.enter('write');
      if (answer === 'good') slot.good();
      else slot.overloaded(undefined);
      slot.leave();
    }
    return (await fill(flow, 'write')).length;
  }

  test('are halved by an overload, never below one, and grow by one with each window of good answers', async () => {
    const flow = () => flowOf(fakeClock());
    expect(await allowedAfter(flow(), ['overloaded'])).toBe(4);
    expect(await allowedAfter(flow(), ['overloaded', 'overloaded'])).toBe(2);
    expect(await allowedAfter(flow(), Array(10).fill('overloaded'))).toBe(1);
    const good = (count: number) => Array<'good'>(count).fill('good');
    expect(await allowedAfter(flow(), ['overloaded', ...good(4)])).toBe(4);
    expect(await allowedAfter(flow(), ['overloaded', ...good(5)])).toBe(5);
    expect(await allowedAfter(flow(), ['overloaded', ...good(100)])).toBe(8);
    expect(await allowedAfter(flow(), good(100))).toBe(8);
  });

  test('all refused at once are one overload', async () => {
    const flow = flowOf(fakeClock());
    const slots = (await fill(flow, 'write', 8)).splice(0);
    for (const slot of slots) {
      slot.overloaded(undefined);
      slot.leave();
    }
    expect(await fill(flow, 'write')).toHaveLength(4);
  });
});

describe('waiting', () => {
  test('what the server asked for holds back its class, and only that', async () => {
    const clock = fakeClock();
    const flow = flowOf(clock);
    const slot = await flow.enter('search');
    slot.overloaded(30_000);
    slot.leave();
    await flow.enter('write');
    expect(clock.time).toBe(0);
    await flow.enter('search');
    expect(clock.time).toBe(30_000);
    await flow.enter('search');
    expect(clock.pauses).toEqual([30_000]);
  });

  test('requests start evenly when their number in a second is limited', async () => {
    const clock = fakeClock();
    const flow = flowOf(clock, 8, 4);
    const starts: number[] = [];
    for (const kind of ['read', 'write', 'search', 'read'] as const) {
      const slot = await flow.enter(kind);
      starts.push(clock.time);
      slot.leave();
    }
    clock.time += 1000;
    await flow.enter('read');
    starts.push(clock.time);
    expect(starts).toEqual([0, 250, 500, 750, 1750]);
  });

  test('a pause that is interrupted leaves its place', async () => {
    const clock = { now: () => 0, pause: () => Promise.reject(new DOMException('stop', 'AbortError')) };
    const flow = flowOf(clock, 1);
    const slot = await flow.enter('write');
    slot.overloaded(1000);
    slot.leave();
    await expect(flow.enter('write')).rejects.toMatchObject({ name: 'AbortError' });
    await expect(flow.enter('write')).rejects.toMatchObject({ name: 'AbortError' });
  });
});

test('repeats run out, and good answers bring some back', async () => {
  const flow = flowOf(fakeClock());
  const takeAll = () => {
    let taken = 0;
    while (flow.takeRepeat()) taken++;
    return taken;
  };
  const answerWell = async (times: number) => {
    for (let index = 0; index < times; index++) {
      const slot = await flow.enter('write');
      slot.good();
      slot.leave();
    }
  };
  expect(takeAll()).toBe(REPEATS);
  await answerWell(3);
  expect(takeAll()).toBe(0);
  await answerWell(5);
  expect(takeAll()).toBe(2);
  await answerWell(10 * REPEATS);
  expect(takeAll()).toBe(REPEATS);
});
