import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isMap, parseTypedJson, printTypedJson, pythonNumber } from '../../src/model/typed-json.ts';

describe('JSON as Python has it', () => {
  it.each([
    ['1', '1'],
    ['1.0', '1.0'],
    ['-0.0', '-0.0'],
    ['1152921504606846977', '1152921504606846977'],
    ['[NaN,Infinity , -Infinity]', '[NaN, Infinity, -Infinity]'],
    ['{"b":1,"2":2,"__proto__":{}}', '{"b": 1, "2": 2, "__proto__": {}}'],
    ['"\\u00e9\\ud83e\\udd99\\\\\\""', '"é🦙\\\\\\""'],
    [' [ ] ', '[]'],
    ['null', 'null'],
  ])('%s stays what it is', (text, spelt) => {
    expect(printTypedJson(parseTypedJson(text))).toBe(spelt);
  });

  it.each(['', '{', '[1,]', '{"a":}', '{1:2}', '"a', '01', '1.', 'nul', '[1] 2', '+1', "'a'", '{"a" 1}'])(
    'refuses %s',
    (text) => {
      expect(() => parseTypedJson(text)).toThrow(SyntaxError);
    },
  );

  it('refuses what is nested beyond the stack', () => {
    expect(() => parseTypedJson('['.repeat(1_000_000))).toThrow(SyntaxError);
  });

  it('has no key of its own making', () => {
    const value = parseTypedJson('{"constructor": 1}');
    expect(isMap(value) && [...value.keys()]).toEqual(['constructor']);
  });

  it('keeps every value that JSON has', () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        const text = JSON.stringify(value);
        expect(JSON.parse(printTypedJson(parseTypedJson(text)))).toEqual(JSON.parse(text));
      }),
    );
  });

  it.each([
    [1, '1.0'],
    [-0, '-0.0'],
    [1e-7, '1e-07'],
    [0.0001, '0.0001'],
    [0.00001, '1e-05'],
    [1e15, '1000000000000000.0'],
    [1e16, '1e+16'],
    [1.5e300, '1.5e+300'],
    [123456789.125, '123456789.125'],
    [Number.NaN, 'NaN'],
    [-Infinity, '-Infinity'],
  ])('%s is a float that Python spells %s', (value, text) => {
    expect(pythonNumber(value)).toBe(text);
  });
});
