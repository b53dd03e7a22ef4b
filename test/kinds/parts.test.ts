import { describe, expect, it } from 'vitest';
import type { ObjectRecord } from '../../src/kinds/kind.ts';
import { KINDS, kindOf } from '../../src/kinds/kinds.ts';
import { PART_WORDS } from '../../src/kinds/part-words.ts';
import { createLeftOut, isLeftOut, missingWords, partsKey, partsOf } from '../../src/kinds/parts.ts';
import { PROMPT_TAG } from '../../src/model/mlflow/tags.ts';

const both = { metrics: true, artifacts: true };

describe('parts', () => {
  it('are those of the table, and metrics and artifacts', () => {
    const ofKinds = KINDS.flatMap(({ parts = [] }) => parts.map(({ word }) => word));
    expect([...new Set(ofKinds), 'metrics', 'artifacts'].toSorted()).toEqual([...PART_WORDS].toSorted());
  });

  it.each([
    [{}, both, both, []],
    [{ artifacts: false }, { metrics: true, artifacts: false }, { metrics: true, artifacts: false }, []],
    [
      { without: ['metrics', 'traces'] },
      { metrics: false, artifacts: true },
      { metrics: false, artifacts: true },
      ['traces'],
    ],
    // What is named comes whole, of the runs only what is named.
    [
      { only: ['models'] },
      { metrics: false, artifacts: false },
      both,
      ['registry', 'prompts', 'traces', 'scorers', 'datasets', 'webhooks', 'gateway'],
    ],
    [
      { only: ['models', 'metrics', 'registry'], without: ['registry'], artifacts: false },
      { metrics: true, artifacts: false },
      { metrics: true, artifacts: false },
      ['registry', 'prompts', 'traces', 'scorers', 'datasets', 'webhooks', 'gateway'],
    ],
  ])('of %o', (options, runs, objects, without) => {
    const files = { include: [], exclude: [] };
    expect(partsOf(options)).toEqual({ ...runs, objects, without, files, keepModelFiles: false });
  });

  it('refuses a word that is none, with the nearest one', () => {
    expect(() => partsOf({ without: ['trace'] })).toThrow(
      expect.objectContaining({ code: 'USAGE', hint: expect.stringContaining('Did you mean traces?') }),
    );
  });

  it('make jobs of their own, and nothing new of those that there were', () => {
    expect(partsKey(partsOf({}))).toEqual(both);
    expect(partsKey(partsOf({ metrics: false }))).toEqual({ metrics: false, artifacts: true });
    const keys = [
      { without: ['models'] },
      { only: ['models'] },
      { only: ['traces'] },
      { without: ['traces'] },
      { excludeArtifacts: ['*.ckpt'] },
      { maxArtifactSize: 1000 },
      {},
    ];
    expect(new Set(keys.map((options) => JSON.stringify(partsKey(partsOf(options))))).size).toBe(keys.length);
  });

  it('leave out an object by its part, and what lives in it', () => {
    const isOut = createLeftOut(partsOf({ without: ['prompts'] }));
    const asked = (kind: string, record: Omit<ObjectRecord, 'kind'>, id: string) =>
      isOut(kindOf(kind), id, { kind, ...record });
    expect(asked('registered_model', { name: 'a', tags: { [PROMPT_TAG]: 'true' } }, 'a')).toBe(true);
    expect(asked('registered_model', { name: 'b', tags: {} }, 'b')).toBe(false);
    expect(asked('model_version', { name: 'a', version: '1', tags: {} }, 'a/1')).toBe(true);
    expect(asked('model_version', { name: 'b', version: '1', tags: {} }, 'b/1')).toBe(false);
    expect(isLeftOut(kindOf('registered_model'), partsOf({ without: ['prompts'] }))).toBe(false);
    expect(isLeftOut(kindOf('logged_model'), partsOf({ only: ['traces'] }))).toBe(true);
  });

  it('are missing where an object may name some of them', () => {
    const parts = partsOf({ without: ['models', 'registry'] });
    expect(missingWords(kindOf('run'), parts)).toEqual(['models']);
    expect(missingWords(kindOf('trace'), parts)).toEqual(['models']);
    expect(missingWords(kindOf('model_version'), parts)).toEqual(['models']);
    expect(missingWords(kindOf('scorer'), parts)).toEqual([]);
  });
});
