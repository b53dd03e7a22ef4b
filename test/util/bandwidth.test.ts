import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { describe, expect, it } from 'vitest';
import { limitBandwidth, paced, untilAborted } from '../../src/util/bandwidth.ts';

/** Time that passes only in pauses. */
function clock() {
  let time = 0;
  return {
    now: () => time,
    async pause(ms: number) {
      time += ms;
    },
    pass: (ms: number) => {
      time += ms;
    },
  };
}

describe('bandwidth', () => {
  it('lets so many bytes pass in a second, whatever their pieces', async () => {
    for (const piece of [1, 1000, 7777, 1_000_000]) {
      const time = clock();
      const { take } = limitBandwidth(100_000, time);
      for (let sent = 0; sent < 1_000_000; sent += piece) await take(piece);
      expect(time.now(), `pieces of ${piece}`).toBeGreaterThan(9_700);
      expect(time.now(), `pieces of ${piece}`).toBeLessThan(10_100);
    }
  });

  it('saves up no more than a quarter of a second', async () => {
    const time = clock();
    const { take } = limitBandwidth(1000, time);
    await take(1);
    time.pass(60_000);
    const start = time.now();
    await take(1250);
    expect(time.now() - start).toBe(1000);
  });

  it('is shared by all that take of it', async () => {
    const time = clock();
    const bandwidth = limitBandwidth(1000, time);
    const bodies = [1, 2, 3].map((byte) =>
      paced(Readable.from([Buffer.alloc(2000, byte)], { objectMode: false }), bandwidth),
    );
    const [first] = await Promise.all(bodies.map((body) => buffer(body)));
    expect(first).toEqual(Buffer.alloc(2000, 1));
    expect(time.now()).toBeGreaterThanOrEqual(5750);
  });

  it('ends with the job, however long the wait would be', async () => {
    const job = new AbortController();
    const bandwidth = untilAborted(limitBandwidth(1), job.signal);
    const body = paced(Readable.from([Buffer.alloc(1_000_000)], { objectMode: false }), bandwidth);
    const read = buffer(body);
    job.abort();
    await expect(read).rejects.toMatchObject({ code: 'INTERRUPTED' });
  });

  it('passes errors on, and destroys what nobody reads to its end', async () => {
    const bandwidth = limitBandwidth(1000, clock());
    const broken = new Readable({ read: (): void => void broken.destroy(new Error('broken')) });
    await expect(buffer(paced(broken, bandwidth))).rejects.toThrow('broken');
    const endless = new Readable({ read: (): void => void endless.push(Buffer.alloc(1000)) });
    const body = paced(endless, bandwidth);
    body.on('error', () => undefined);
    body.destroy();
    await expect.poll(() => endless.destroyed).toBe(true);
  });
});
