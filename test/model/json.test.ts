import { isDeepStrictEqual } from 'node:util';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { fromServerJson, toJson } from '../../src/model/json.ts';
import { anyText } from '../places/arbitraries.ts';

const anyJson = fc.letrec((tie) => ({
  value: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    fc.double({ noNaN: true, noDefaultInfinity: true }),
    fc.constantFrom(-0, 0, 5e-324, Number.MAX_VALUE, 1e22, 123456789012345680),
    anyText,
    fc.boolean(),
    fc.constant(null),
    fc.array(tie('value'), { maxLength: 4 }),
    fc.array(fc.tuple(anyText, tie('value')), { maxLength: 4 }).map((entries) => Object.fromEntries(entries)),
  ),
})).value;

describe('toJson', () => {
  it('keeps every value, -0, denormals, lone surrogates and the key __proto__ too', () => {
    fc.assert(
      fc.property(anyJson, (value) => {
        // Not toStrictEqual, which stumbles over a key `constructor`.
        expect(isDeepStrictEqual(JSON.parse(toJson(value)), value)).toBe(true);
      }),
    );
  });

  it('gives one line of valid UTF-8', () => {
    fc.assert(
      fc.property(anyJson, (value) => {
        const text = toJson(value);
        expect(text).not.toContain('\n');
        expect(Buffer.from(text).toString()).toBe(text);
      }),
    );
  });

  it('refuses what JSON would silently turn into null', () => {
    for (const value of [Number.NaN, Infinity, -Infinity]) expect(() => toJson([value])).toThrow(TypeError);
  });
});

describe('fromServerJson', () => {
  it('keeps integers beyond 2^53 exact, as text', () => {
    fc.assert(
      fc.property(fc.bigInt({ min: -(2n ** 64n), max: 2n ** 64n }), (integer) => {
        const number = Number(integer);
        const expected = Number.isSafeInteger(number) ? number : integer.toString();
        expect(fromServerJson(`{"a":[${integer}]}`)).toEqual({ a: [expected] });
      }),
    );
  });

  it('keeps doubles as they are', () => {
    fc.assert(
      fc.property(
        fc.double({ noNaN: true, noDefaultInfinity: true }).filter((value) => !Number.isInteger(value)),
        (value) => {
          expect(fromServerJson(`[${value}]`)).toStrictEqual([value]);
        },
      ),
    );
    expect(fromServerJson('[-0.0, 1e22, 1.7976931348623157e308]')).toStrictEqual([
      -0,
      1e22,
      Number.MAX_VALUE,
    ]);
  });

  it('reads bare NaN and Infinity, and leaves texts that hold them alone', () => {
    fc.assert(
      fc.property(anyText, (text) => {
        const inText = `${text} NaN "Infinity" \\`;
        const body = `{"metrics":[{"value": NaN},{"value":-Infinity},{"value":Infinity}],"text":${JSON.stringify(inText)}}`;
        expect(fromServerJson(body)).toStrictEqual({
          metrics: [{ value: 'NaN' }, { value: '-Infinity' }, { value: 'Infinity' }],
          text: inText,
        });
      }),
    );
  });

  it('throws SyntaxError for anything else', () => {
    for (const text of ['', '<html>', '{"a":', 'nan', '[NaNN]', '{"a":1}x']) {
      expect(() => fromServerJson(text)).toThrow(SyntaxError);
    }
  });
});

it.each([
  ['nesting', `{"a":12345678901234567890,"b":${'['.repeat(200_000)}${']'.repeat(200_000)}}`],
  ['digits', `{"a":${'1'.repeat(20_000_000)}}`],
  ['a string beside NaN', `{"a":NaN,"b":"${'\\n'.repeat(10_000_000)}"}`],
])('too much %s is a SyntaxError', (_, text) => {
  expect(() => fromServerJson(text)).toThrow(SyntaxError);
});
