import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { fitRun, tagsForCreateOnly } from '../../src/model/fit-run.ts';
import { toDouble } from '../../src/model/metric-value.ts';
import { fits, isKeyAllowed, limitsOf, prefix, withColumns } from '../../src/model/mlflow/limits.ts';
import { createPointSet, type PointSet } from '../../src/model/point-set.ts';
import type { Point, Run } from '../../src/model/records.ts';

const newest = limitsOf('3.17.2');

const run = (part: Partial<Run>): Run => ({
  kind: 'run',
  run_id: 'r',
  experiment_id: '1',
  run_name: 'name',
  user_id: 'user',
  status: 'FINISHED',
  start_time: 1,
  end_time: 2,
  lifecycle_stage: 'active',
  artifact_uri: 'mlflow-artifacts:/1/r/artifacts',
  params: {},
  tags: {},
  dataset_inputs: [],
  latest_metrics: {},
  ...part,
});

const add = (set: PointSet, [step, timestamp, value]: Point) => set.add(step, timestamp, toDouble(value));
const has = (set: PointSet, [step, timestamp, value]: Point) => set.has(step, timestamp, toDouble(value));

describe('limits by version', () => {
  it.each([
    ['2.9.2', { colon: false, param: 6000, tag: 5000, experimentTag: 5000 }],
    ['2.16.0', { colon: true, param: 6000, tag: 5000, experimentTag: 5000 }],
    ['2.22.5', { colon: true, param: 6000, tag: 8000, experimentTag: 5000 }],
    ['3.1.4', { colon: true, param: 6000, tag: 8000, experimentTag: 5000 }],
    ['3.17.2', { colon: true, param: 6000, tag: 8000, experimentTag: 20_000 }],
    [undefined, { colon: false, param: 6000, tag: 5000, experimentTag: 5000 }],
  ])('%s', (version, limits) => {
    expect(limitsOf(version)).toMatchObject(limits);
  });
});

describe('keys', () => {
  it.each(['a', 'a/b c', 'é/日本', 'a.b-c_d', 'x'.repeat(250), 'a:b', 'a\n', '½', '.hidden', 'a..b'])(
    'takes %j',
    (key) => {
      expect(isKeyAllowed(key, newest)).toBe(true);
    },
  );

  it.each([
    '',
    'a@b',
    'a//b',
    'a/',
    '/a',
    '../a',
    '..a',
    'a/./b',
    '.',
    'a/../b',
    'x'.repeat(251),
    'हिन्दी',
    'a\nb',
    'a\0',
    '\ud800',
  ])('refuses %j', (key) => {
    expect(isKeyAllowed(key, newest)).toBe(false);
  });

  it('refuses a colon before 2.16', () => {
    expect(isKeyAllowed('a:b', limitsOf('2.9.2'))).toBe(false);
  });

  it('measures code points', () => {
    expect(isKeyAllowed('𝒳'.repeat(250), newest)).toBe(true);
    expect(isKeyAllowed('𝒳'.repeat(251), newest)).toBe(false);
  });
});

it('prefix and fits agree with code points', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme', maxLength: 40 }), fc.nat(45), (text, limit) => {
      const points = [...text];
      expect(prefix(text, limit)).toBe(points.slice(0, limit).join(''));
      expect(fits(text, limit)).toBe(points.length <= limit);
    }),
  );
});

describe('fitRun', () => {
  it('leaves a run that fits as it is', () => {
    const source = run({
      params: { a: 'x'.repeat(6000) },
      tags: { b: '𝒳'.repeat(8000), 'mlflow.user': 'u' },
    });
    expect(fitRun(source, newest)).toEqual({ run: source, oversize: undefined, losses: [] });
  });

  it('shortens what is too long, leaves out what is not allowed, and keeps all of it aside', () => {
    const params = { long: 'x'.repeat(6001), 'a@b': 'v', fine: '' };
    const tags = { long: 'ü'.repeat(8001), broken: 'a\ud800b' };
    const { run: fitted, oversize, losses } = fitRun(run({ params, tags }), newest);
    expect(fitted.params).toEqual({ long: 'x'.repeat(6000), fine: '' });
    expect(fitted.tags).toEqual({ long: 'ü'.repeat(8000), broken: 'a\ufffdb' });
    expect(oversize).toEqual({
      params: { long: params.long, 'a@b': 'v' },
      tags: { long: tags.long, broken: tags.broken },
      dataset_inputs: [],
    });
    expect(losses.map(({ code, key }) => `${code} ${key}`)).toEqual([
      'PARAM_TOO_LONG long',
      'KEY_NOT_ALLOWED a@b',
      'TAG_TOO_LONG long',
      'VALUE_NOT_ALLOWED broken',
    ]);
  });

  it('keeps a key named __proto__', () => {
    const params = Object.fromEntries([['__proto__', 'x'.repeat(7000)]]);
    const { run: fitted, oversize } = fitRun(run({ params }), newest);
    expect(Object.entries(fitted.params)).toEqual([['__proto__', 'x'.repeat(6000)]]);
    expect(Object.entries(oversize?.params ?? {})).toEqual(Object.entries(params));
  });

  it('knows that a name and the tag mlflow.runName are one', () => {
    expect(fitRun(run({ tags: { 'mlflow.runName': 'name' } }), newest)).toMatchObject({
      run: { run_name: 'name', tags: {} },
      losses: [],
    });
    expect(fitRun(run({ run_name: '', tags: { 'mlflow.runName': 'tag' } }), newest)).toMatchObject({
      run: { run_name: 'tag' },
      losses: [],
    });
    const differs = fitRun(run({ tags: { 'mlflow.runName': 'other' } }), newest);
    expect(differs).toMatchObject({
      run: { run_name: 'name', tags: {} },
      oversize: { tags: { 'mlflow.runName': 'other' } },
    });
    expect(differs.losses.map(({ code }) => code)).toEqual(['VALUE_CONFLICT']);
  });

  it('keeps to database columns once they are known', () => {
    const source = run({ run_name: 'n'.repeat(300), user_id: 'u'.repeat(300), params: { a: 'x\0y' } });
    expect(fitRun(source, newest).losses).toEqual([]);
    const { run: fitted, oversize, losses } = fitRun(source, withColumns(newest));
    expect(fitted).toMatchObject({
      run_name: 'n'.repeat(250),
      user_id: 'u'.repeat(256),
      params: { a: 'x\ufffdy' },
    });
    expect(oversize).toMatchObject({
      run_name: source.run_name,
      user_id: source.user_id,
      params: { a: 'x\0y' },
    });
    expect(losses.map(({ code }) => code).sort()).toEqual([
      'NAME_TOO_LONG',
      'NAME_TOO_LONG',
      'VALUE_NOT_ALLOWED',
    ]);
  });

  it('shortens datasets and leaves out half a schema', () => {
    const dataset = {
      name: 'n'.repeat(501),
      digest: 'd'.repeat(37),
      source_type: 'local',
      source: 's',
      schema: 'x'.repeat(1_048_576),
      profile: '{}',
    };
    const input = { dataset, tags: { ok: 'v'.repeat(501) } };
    const { run: fitted, oversize, losses } = fitRun(run({ dataset_inputs: [input] }), newest);
    expect(fitted.dataset_inputs).toEqual([
      {
        dataset: {
          name: 'n'.repeat(500),
          digest: 'd'.repeat(36),
          source_type: 'local',
          source: 's',
          profile: '{}',
        },
        tags: { ok: 'v'.repeat(500) },
      },
    ]);
    expect(oversize?.dataset_inputs).toEqual([input]);
    expect(losses.map(({ code }) => code)).toEqual(['DATASET_TOO_LONG']);
  });

  it('does not count tags as lost that a create carried', () => {
    const tags = { 'a@b': 'v', fine: 'x' };
    expect(tagsForCreateOnly(tags, newest)).toEqual({ 'a@b': 'v' });
    expect(fitRun(run({ tags }), newest, { 'a@b': 'v' })).toMatchObject({
      run: { tags: { fine: 'x' } },
      oversize: undefined,
      losses: [],
    });
    expect(fitRun(run({ tags }), newest, { 'a@b': 'other' })).toMatchObject({
      oversize: { tags: { 'a@b': 'v' } },
    });
  });
});

describe('point set', () => {
  it('holds what a SQL store would hold', () => {
    const values = fc.constantFrom<Point[2]>(
      0,
      -0,
      1.5,
      5e-324,
      'NaN',
      'Infinity',
      Number.MAX_VALUE,
      '-Infinity',
    );
    const integers = fc.constantFrom<Point[0]>(0, -1, 1, 2 ** 31, -(2 ** 40), '9223372036854775807');
    const points = fc.array(fc.tuple(integers, integers, values), { maxLength: 300 });
    const text = ([step, timestamp, value]: Point) => {
      const double =
        value === 'Infinity' ? Number.MAX_VALUE : value === '-Infinity' ? -Number.MAX_VALUE : value;
      return `${step} ${timestamp} ${double}`;
    };
    fc.assert(
      fc.property(points, points, (added, asked) => {
        const set = createPointSet();
        const model = new Set<string>();
        for (const point of added) {
          expect(add(set, point)).toBe(!model.has(text(point)));
          model.add(text(point));
        }
        expect(set.size).toBe(model.size);
        for (const point of [...added, ...asked]) expect(has(set, point)).toBe(model.has(text(point)));
      }),
    );
  });

  it('grows', () => {
    const set = createPointSet();
    const points = Array.from({ length: 100_000 }, (_, step): Point => [step, step * 2, step / 3]);
    expect(points.filter((point) => !add(set, point))).toEqual([]);
    expect(points.filter((point) => !has(set, point))).toEqual([]);
    expect(set.has(5, 5, 5)).toBe(false);
    expect(set.size).toBe(100_000);
  });
});
