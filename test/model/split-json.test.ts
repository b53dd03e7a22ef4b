import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { fromServerJson } from '../../src/model/json.ts';
import { splitJsonList } from '../../src/model/split-json.ts';

/** The elements and the rest of a body that comes in pieces cut at these offsets. */
async function split(text: string, cuts: readonly number[] = []) {
  const bytes = Buffer.from(text);
  const offsets = [0, ...cuts.map((cut) => cut % (bytes.length + 1)).sort((a, b) => a - b), bytes.length];
  async function* chunks() {
    for (const [index, end] of offsets.slice(1).entries()) yield bytes.subarray(offsets[index] ?? 0, end);
  }
  const elements: unknown[] = [];
  const rest = await splitJsonList(chunks(), async (items) => {
    elements.push(...items);
  });
  return { elements, rest };
}

describe('splitJsonList', () => {
  it('gives the same as parsing it whole, wherever the body is cut', async () => {
    const element = fc.record({
      key: fc.string({ unit: 'binary' }),
      value: fc.double({ noNaN: true, noDefaultInfinity: true }),
    });
    const cuts = fc.array(fc.nat(100_000), { maxLength: 20 });
    await fc.assert(
      fc.asyncProperty(fc.array(element), fc.string({ unit: 'binary' }), cuts, async (metrics, token, at) => {
        const text = JSON.stringify({ before: token, metrics, next_page_token: token }, null, at.length % 3);
        const { elements, rest } = await split(text, at);
        expect({ ...Object(rest), metrics: elements }).toEqual(fromServerJson(text));
        expect(rest).toEqual({ before: token, metrics: [], next_page_token: token });
      }),
    );
  });

  it('reads bare NaN, and integers beyond 2^53 exactly', async () => {
    const { elements } = await split(
      '{"metrics": [{"value": NaN, "step": 9007199254740993}, {"value": -Infinity, "key": "NaN"}]}',
    );
    expect(elements).toEqual([
      { value: 'NaN', step: '9007199254740993' },
      { value: '-Infinity', key: 'NaN' },
    ]);
  });

  it('gives no elements for none', async () => {
    expect(await split('{}')).toEqual({ elements: [], rest: {} });
    expect(await split('{"metrics": [ ]}')).toEqual({ elements: [], rest: { metrics: [] } });
  });

  it('refuses a body cut at any byte', async () => {
    const text = '{"metrics": [{"key": "a}", "value": 1}, {"key": "b", "value": 2}], "next_page_token": "x"}';
    for (let end = 0; end < text.length; end++) {
      await expect(split(text.slice(0, end))).rejects.toThrow(SyntaxError);
    }
  });

  it.each(['<html>[1]</html>', '{"metrics": [{]}', '{"metrics": ["\\x"]}'])('refuses %s', async (text) => {
    await expect(split(text)).rejects.toThrow(SyntaxError);
  });

  it('refuses an element, or a rest, without end', async () => {
    const long = 'x'.repeat(2 ** 21);
    await expect(split(`{"metrics": ["${long}"]}`, [2 ** 20, 2 ** 20 + 1000])).rejects.toThrow(SyntaxError);
    await expect(split(`{"metrics": [], "a": "${long}"}`)).rejects.toThrow(SyntaxError);
  });
});
