import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { z } from 'zod';
import { copyBetween } from '../../../src/copy/copy-between.ts';
import type { Loss } from '../../../src/model/findings.ts';
import { verify } from '../../../src/verify/verify.ts';
import { runPython } from '../../servers/run-python.ts';
import { NEWEST_MLFLOW } from '../../servers/versions.ts';
import { fillEveryKind } from './every-kind.ts';

const samples = new URL('../../../samples/mlruns', import.meta.url).pathname;
const script = new URL('../../python/schemas.py', import.meta.url);

const LONG = process.env.MLFERRY_TEST_LONG === '1';

/** Revisions that change tables of further kinds; all others hold the same. */
const CHANGED = new Set([
  ...['acf3f17fdcc7', '867495a8f9d4', '6953534de441', 'cbc13b556ace', '770bee3ae1dd'],
  ...['a1b2c3d4e5f6', 'de4033877273', '534353b11cbc', '71994744cf8e', '3da73c924c2f', 'b7c8d9e0f1a2'],
  ...['c8d9e0f1a2b3', '1b5f0d9ad7c1', 'da6fb0208061', '75868b020152', 'dc11669786a5'],
]);

/** Logged models without the steps of their links: no version of MLflow has it so, and they are not written then. */
const WITHOUT_STEPS = '400f98739977';

/** Which references are kept is told by a copy alone. */
const codesOf = (losses: readonly Loss[]) =>
  losses
    .filter(({ code }) => code !== 'REFERENCE_KEPT')
    .map(({ code, key = '' }) => `${code} ${key}`)
    .toSorted();

it('every schema from MLflow 2.8 on is written to, and holds what it was given', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'mlferry-schemas-'));
  try {
    const made = await runPython(NEWEST_MLFLOW, script, [directory, 'acf3f17fdcc7']);
    const revisions = z.array(z.string()).parse(JSON.parse(made));
    expect(revisions.length).toBeGreaterThan(40);
    expect(await readdir(directory)).toHaveLength(revisions.length);
    const selection = { experiments: ['diabetes-elasticnet'], view: 'all' } as const;
    const everyKind = join(directory, 'every-kind.db');
    fillEveryKind(everyKind).close();
    for (const revision of revisions) {
      const uri = `sqlite:///${join(directory, revision)}.db`;
      const { report } = await copyBetween(samples, uri, { selection });
      expect(report, revision).toMatchObject({
        exit_status: 0,
        losses: [],
        failures: [],
        runs: { created: 5 },
      });
      expect(await verify(samples, uri, { selection }), revision).toMatchObject({
        exit_status: 0,
        items: [],
      });
      if (revision === WITHOUT_STEPS || (!LONG && !CHANGED.has(revision))) continue;
      const whole = { selection: { view: 'all' } } as const;
      const { report: all } = await copyBetween(everyKind, uri, whole);
      expect(all.failures, revision).toEqual([]);
      const checked = await verify(everyKind, uri, whole);
      expect(checked.items, revision).toEqual([]);
      expect(codesOf(checked.losses), revision).toEqual(codesOf(all.losses));
      if (revision === revisions.at(-1)) expect(all.losses).toEqual([]);
    }
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}, 180_000);
