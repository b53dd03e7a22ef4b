import fc from 'fast-check';
import { expect, it } from 'vitest';
import { toJson } from '../../src/model/json.ts';
import { fromDouble, metricValue, toDouble } from '../../src/model/metric-value.ts';

it('keeps every double, through JSON too', () => {
  fc.assert(
    fc.property(
      fc.oneof(fc.double(), fc.constantFrom(-0, 5e-324, Number.NaN, Infinity, -Infinity)),
      (value) => {
        const stored = fromDouble(value);
        expect(toDouble(stored)).toBe(value);
        expect(toDouble(metricValue.parse(JSON.parse(toJson(stored))))).toBe(value);
      },
    ),
  );
});

it('refuses other texts and bare non-finite numbers', () => {
  for (const value of ['nan', 'inf', '', '1', null, Number.NaN, Infinity]) {
    expect(metricValue.safeParse(value).success).toBe(false);
  }
});
