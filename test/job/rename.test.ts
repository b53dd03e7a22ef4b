import { describe, expect, it } from 'vitest';
import { parseRename, renamed } from '../../src/job/rename.ts';

describe('rename rules', () => {
  it.each([
    ['/Users/a/*=/Shared/a/*', '/Users/a/churn/v1', '/Shared/a/churn/v1'],
    ['/Users/*/x-*=/Shared/*/*', '/Users/bo/x-1', '/Shared/bo/1'],
    ['old=new', 'old', 'new'],
    ['old=new', 'older', 'older'],
    ['a.b=c', 'axb', 'axb'],
    ['*=copy of *', 'line\nbreak', 'copy of line\nbreak'],
    ['a*=b', 'abc', 'b'],
    ['*=$1*', 'x', '$1x'],
  ])('%s turns %j into %j', (rule, name, expected) => {
    expect(renamed({ experiment_id: '7', name }, [parseRename(rule)])).toBe(expected);
  });

  it('uses the first rule that matches', () => {
    const rules = ['a*=first', '*=second'].map((text) => parseRename(text));
    expect(['ab', 'b'].map((name) => renamed({ experiment_id: '7', name }, rules))).toEqual([
      'first',
      'second',
    ]);
  });

  it('takes an id before any name', () => {
    const rules = ['*=all', '7=one'].map((text) => parseRename(text));
    expect(renamed({ experiment_id: '7', name: 'x' }, rules)).toBe('one');
    expect(renamed({ experiment_id: '8', name: 'x' }, rules)).toBe('all');
  });

  it.each(['', 'a', 'a=', '=b', 'a=b=c', 'a=*', '*=**'])('refuses %j', (text) => {
    expect(() => parseRename(text)).toThrow(expect.objectContaining({ code: 'USAGE' }));
  });
});
