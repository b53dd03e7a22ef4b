import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createValueFinder, type FoundValue } from '../../../src/places/export-import/find-values.ts';

/** All values of a document that comes in pieces cut at these offsets; `metrics` and the top are gone through. */
function find(text: string, cuts: readonly number[] = []): FoundValue[] {
  const bytes = Buffer.from(text);
  const offsets = [0, ...cuts.map((cut) => cut % (bytes.length + 1)).sort((a, b) => a - b), bytes.length];
  const finder = createValueFinder(
    (path) => ['', 'metrics'].includes(path.join('/')),
    (path) => path[0] === 'metrics',
  );
  const found = offsets
    .slice(1)
    .flatMap((end, index) => finder.push(bytes.subarray(offsets[index] ?? 0, end)));
  finder.end();
  return found;
}

const documents = fc.record({ info: fc.jsonValue(), metrics: fc.dictionary(fc.string(), fc.jsonValue()) });

describe('values of a document that comes in pieces', () => {
  it('are found where they stand, whatever the pieces and the spaces', () => {
    fc.assert(
      fc.property(documents, fc.array(fc.nat()), fc.constantFrom(0, 2), (document, cuts, indent) => {
        const text = JSON.stringify(document, null, indent);
        const bytes = Buffer.from(text);
        const found = find(text, cuts);
        const [info, ...metrics] = found;
        expect(info?.path).toEqual(['info']);
        expect(JSON.parse(info?.text ?? '')).toEqual(JSON.parse(JSON.stringify(document.info)));
        const located = metrics.map(({ path, start, end, text: kept }) => {
          expect(kept).toBeUndefined();
          return [path[1], JSON.parse(bytes.subarray(start, end).toString())];
        });
        expect(located).toEqual(Object.entries(JSON.parse(JSON.stringify(document.metrics))));
      }),
    );
  });

  it('may be NaN', () => {
    expect(find('{"a": NaN, "b" :-Infinity }').map(({ text }) => text)).toEqual(['NaN', '-Infinity']);
  });

  it.each([
    ['an early end', '{"info": {"a": 1}, "metrics": {"m": [1, 2'],
    ['an early end between members', '{"info": 1,'],
    ['nothing', '  '],
    ['more than one value', '{"info": 1} {}'],
    ['no key', '{1: 2}'],
    ['no colon', '{"a" 1}'],
    ['a comma and no member', '{"a": 1,}'],
    ['two commas', '{"a": 1,,"b": 2}'],
  ])('are not found in what is no JSON: %s', (_name, text) => {
    expect(() => find(text)).toThrow(SyntaxError);
  });
});
