import { tmpdir } from 'node:os';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { mlferry as mlferryIn } from './mlferry.ts';

const SAMPLES = 'samples/mlruns';

const mlferry = (...args: string[]) => mlferryIn(args, tmpdir());

const summary = z.object({
  experiments: z.array(z.object({ name: z.string(), runs: z.number() })),
  total: z.object({ runs: z.number() }),
});

/** Runs by experiment. */
async function inspected(place: string, ...args: string[]) {
  const { out, status } = await mlferry('inspect', place, '--json', '--no-artifacts', ...args);
  expect(status).toBe(0);
  return Object.fromEntries(summary.parse(JSON.parse(out)).experiments.map(({ name, runs }) => [name, runs]));
}

describe('--filter', () => {
  it('selects the same of the samples in each form', async () => {
    for (const place of [SAMPLES, 'samples/backup.tar', 'samples/runs.ndjson']) {
      expect(
        await inspected(place, '--filter', 'params.alpha = 0.1 OR params.learning_rate LIKE "0.00_"'),
      ).toEqual({
        'wine-classifier': 2,
        'diabetes-elasticnet': 2,
      });
      expect(await inspected(place, '--filter', "status = 'RUNNING'")).toEqual({ 'wine-classifier': 1 });
    }
  });

  it('stops with exit status 2, the column, a caret and a hint, before anything is opened', async () => {
    const { err, status } = await mlferry('copy', '/nowhere/at/all', '/nor/here', '--filter', 'params.a = x');
    expect(status).toBe(2);
    expect(err).toContain('column 12');
    expect(err).toContain("\n  params.a = x\n             ^\nPut it in quotes: 'x'.\n");
  });

  it('of experiments and orders are checked too', async () => {
    for (const [option, value] of [
      ['--experiment-filter', 'metrics.a > 1'],
      ['--order-by', 'params.a sideways'],
      ['--max-runs', '0'],
    ] as const) {
      const { err, status } = await mlferry('inspect', '/nowhere/at/all', option, value, '--max-runs', '3');
      expect(status, option).toBe(2);
      expect(err).toMatch(/error (EXPRESSION|USAGE)/);
    }
    const alone = await mlferry('inspect', SAMPLES, '--order-by', 'metrics.a');
    expect(alone).toMatchObject({ status: 2, err: expect.stringContaining('--max-runs') });
  });
});

describe('--max-runs', () => {
  it('keeps the first of the order over all experiments', async () => {
    expect(await inspected(SAMPLES, '--max-runs', '2', '--order-by', 'metrics.loss')).toEqual({
      'Team A/churn baseline': 1,
      'wine-classifier': 1,
    });
  });
});

describe('--experiment-filter', () => {
  it('selects experiments', async () => {
    expect(await inspected(SAMPLES, '--experiment-filter', "name LIKE 'wine%'")).toEqual({
      'wine-classifier': 4,
    });
  });
});

describe('--explain', () => {
  it('says who judges what, and writes nothing', async () => {
    const { out, status } = await mlferry(
      'export',
      SAMPLES,
      '/nowhere/at/all.ndjson',
      '--explain',
      '--filter',
      "MAX(metrics.loss) < 1 AND params.a = 'x'",
    );
    expect(status).toBe(0);
    expect(out).toContain('filestore');
    expect(out).toContain("MAX(metrics.loss) < 1 AND params.a = 'x'");
    expect(out).toContain('"loss"');
  });

  it('has a JSON form', async () => {
    const { out } = await mlferry('inspect', SAMPLES, '--explain', '--json', '--max-runs', '2');
    expect(JSON.parse(out)).toMatchObject({
      place: { kind: 'filestore' },
      histories: [],
      order: { columns: ['start_time DESC'], pushed: false, first: 2 },
    });
  });
});
