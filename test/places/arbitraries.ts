import fc from 'fast-check';
import { type Int64, toInt64 } from '../../src/model/int64.ts';
import { fromDouble } from '../../src/model/metric-value.ts';
import type { DatasetInput, Experiment, Point } from '../../src/model/records.ts';
import { type MemoryRun, makeExperiment, makeRun, type Workspace } from './memory-workspace.ts';

/** Any text a JavaScript string can hold, lone surrogates and NUL too. */
export const anyText = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 20 }),
  fc
    .array(fc.integer({ min: 0, max: 0xffff }), { maxLength: 8 })
    .map((units) => String.fromCharCode(...units)),
  fc.constantFrom(
    '',
    '__proto__',
    'constructor',
    'a/b',
    '\u2028',
    '🦙',
    'é',
    '\ud83e',
    '\r\n',
    '"\\',
    '\u0000',
  ),
);

/** Any integer of 64 bits, often at the edges. */
export const anyInt64: fc.Arbitrary<Int64> = fc
  .oneof(
    fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
    fc.constantFrom(0n, -1n, 2n ** 53n, 2n ** 53n - 1n, -(2n ** 53n), 2n ** 63n - 1n, -(2n ** 63n)),
  )
  .map((integer) => toInt64(integer) ?? 0);

/** Any double. */
export const anyValue = fc
  .oneof(
    fc.double(),
    fc.constantFrom(-0, 0, 5e-324, -5e-324, Number.NaN, Infinity, -Infinity, Number.MAX_VALUE),
  )
  .map(fromDouble);

export const anyPoint: fc.Arbitrary<Point> = fc.tuple(anyInt64, anyInt64, anyValue);

/** A plain object with any keys. */
export const mapOfTexts = fc
  .uniqueArray(fc.tuple(anyText, anyText), { selector: ([key]) => key, maxLength: 5 })
  .map((entries) => Object.fromEntries(entries));

const anyInput: fc.Arbitrary<DatasetInput> = fc.record({
  dataset: fc.record(
    {
      name: anyText,
      digest: anyText,
      source_type: anyText,
      source: anyText,
      schema: anyText,
      profile: anyText,
    },
    { requiredKeys: ['name', 'digest', 'source_type', 'source'] },
  ),
  tags: mapOfTexts,
});

const segment = fc
  .oneof(
    fc.string({ unit: 'grapheme', minLength: 1, maxLength: 10 }),
    fc.constantFrom('a b', 'ü', '100%', 'a+b', '#1', 'a\\b', '日本'),
  )
  .map((text) => text.replaceAll(/[/\0]/g, '_'))
  .filter((text) => !/^\.\.?$/.test(text) && !text.includes('..') && !/^[\\]|^[a-z]:/i.test(text));

const anyPath = fc.array(segment, { minLength: 1, maxLength: 3 }).map((segments) => segments.join('/'));

const anyBytes = fc.oneof(
  fc.uint8Array({ maxLength: 300 }).map((bytes) => Buffer.from(bytes)),
  fc
    .tuple(fc.integer({ min: 0, max: 200_000 }), fc.constantFrom('a', 'ab', ''))
    .map(([n, s]) => Buffer.alloc(n, s)),
);

const byText = (a: string, b: string) => (a < b ? -1 : a > b ? 1 : 0);

const anyRun = fc.record({
  fields: fc.record({
    run_name: anyText,
    user_id: anyText,
    status: fc.constantFrom('RUNNING', 'SCHEDULED', 'FINISHED', 'FAILED', 'KILLED'),
    end_time: fc.option(anyInt64),
    lifecycle_stage: fc.constantFrom('active', 'deleted'),
    // No text that could as well stand in another one by chance: copies have their own root wherever it stands.
    artifact_uri: fc.oneof(
      fc.constant(''),
      anyText.map((text) => `memory://${text}`),
    ),
    params: mapOfTexts,
    tags: mapOfTexts,
    dataset_inputs: fc.array(anyInput, { maxLength: 2 }),
  }),
  metrics: fc.uniqueArray(fc.tuple(anyText, fc.array(anyPoint, { minLength: 1, maxLength: 8 })), {
    selector: ([key]) => key,
    maxLength: 4,
  }),
  artifacts: fc.uniqueArray(fc.tuple(anyPath, anyBytes), { selector: ([path]) => path, maxLength: 4 }),
});

/** A small workspace of anything that records can hold, in the canonical order. */
export const anyWorkspace: fc.Arbitrary<() => Promise<Workspace>> = fc
  .array(
    fc.record({
      name: anyText,
      tags: mapOfTexts,
      stage: fc.constantFrom('active', 'deleted'),
      runs: fc.array(anyRun, { maxLength: 3 }),
    }),
    { maxLength: 3 },
  )
  .map((experiments) => () => {
    const made = experiments.map(async ({ name, tags, stage, runs }, e) => {
      const experiment: Experiment = makeExperiment({
        experiment_id: String(e + 1),
        name,
        tags,
        lifecycle_stage: stage,
        creation_time: e,
      });
      const madeRuns = runs.map(({ fields, metrics, artifacts }, r): Promise<MemoryRun> => {
        const own = { run_id: `${e}-${r}`, experiment_id: String(e + 1), start_time: r };
        const byKey = metrics.toSorted(([a], [b]) => byText(a, b));
        return makeRun(
          { ...fields, ...own },
          byKey,
          artifacts.toSorted(([a], [b]) => byText(a, b)),
        );
      });
      return { experiment, runs: await Promise.all(madeRuns) };
    });
    return Promise.all(made);
  });
