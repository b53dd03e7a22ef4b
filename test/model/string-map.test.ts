import fc from 'fast-check';
import { expect, it } from 'vitest';
import { toJson } from '../../src/model/json.ts';
import { ownValue, sortKeys, stringMap } from '../../src/model/string-map.ts';
import { mapOfTexts } from '../places/arbitraries.ts';

it('keeps every key and value through the schema, sorting and JSON', () => {
  fc.assert(
    fc.property(mapOfTexts, (map) => {
      const back = stringMap.parse(JSON.parse(toJson(sortKeys(map))));
      expect(Object.keys(back).sort()).toEqual(Object.keys(map).sort());
      for (const key of Object.keys(map)) expect(ownValue(back, key)).toBe(map[key]);
    }),
  );
});

it('keeps a key __proto__ and never answers with what is inherited', () => {
  const map = stringMap.parse(JSON.parse('{"__proto__":"x","b":"1","a":"2"}'));
  expect(ownValue(map, '__proto__')).toBe('x');
  expect(ownValue(map, 'toString')).toBeUndefined();
  expect(ownValue(stringMap.parse({}), '__proto__')).toBeUndefined();
  expect(toJson(sortKeys(map))).toBe('{"__proto__":"x","a":"2","b":"1"}');
});

it('refuses values that are no texts', () => {
  for (const value of [null, [], 'x', { a: 1 }, { a: null }, JSON.parse('{"__proto__":1}')]) {
    expect(stringMap.safeParse(value).success).toBe(false);
  }
});
