import { describe, expect, it } from 'vitest';
import { linkedPrompts, withLinkedPrompts } from '../../src/model/mlflow/linked-prompts.ts';
import { LINKED_PROMPTS_TAG } from '../../src/model/mlflow/tags.ts';

const tagged = (text: string) => ({ other: 'x', [LINKED_PROMPTS_TAG]: text });
const GREETING = { name: 'greeting', version: '1' };

describe('links to prompts in tags', () => {
  it.each([
    ['[{"name": "greeting", "version": "1"}, {"name": "", "version": "2"}, 3]', [GREETING]],
    ['[]', []],
    ['{"name": "greeting"}', []],
    ['no JSON', []],
  ])('of %s', (text, links) => {
    expect(linkedPrompts(tagged(text))).toEqual(links);
  });

  it('are added where the tag does not tell them, and what stands there stays', () => {
    const told = tagged('[{"name": "greeting", "version": "1"}]');
    expect(withLinkedPrompts(told, [GREETING])).toBe(told);
    const both = withLinkedPrompts(told, [GREETING, { name: 'a "b"', version: '12' }]);
    expect(both).toEqual(
      tagged('[{"name": "greeting", "version": "1"}, {"name": "a \\"b\\"", "version": "12"}]'),
    );
    expect(withLinkedPrompts({}, [GREETING])).toEqual({
      [LINKED_PROMPTS_TAG]: '[{"name": "greeting", "version": "1"}]',
    });
    const odd = tagged('no JSON');
    expect(withLinkedPrompts(odd, [GREETING])).toBe(odd);
  });
});
