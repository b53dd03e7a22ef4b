import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { z } from 'zod';
import { copyBetween } from '../../../src/copy/copy-between.ts';
import { verify } from '../../../src/verify/verify.ts';
import { runPython } from '../../servers/run-python.ts';
import { NEWEST_MLFLOW } from '../../servers/versions.ts';

const samples = new URL('../../../samples/mlruns', import.meta.url).pathname;
const script = new URL('../../python/schemas.py', import.meta.url);

it('every schema from MLflow 2.8 on is written to, and holds what it was given', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'mlferry-schemas-'));
  try {
    const made = await runPython(NEWEST_MLFLOW, script, [directory, 'acf3f17fdcc7']);
    const revisions = z.array(z.string()).parse(JSON.parse(made));
    expect(revisions.length).toBeGreaterThan(40);
    expect(await readdir(directory)).toHaveLength(revisions.length);
    const selection = { experiments: ['diabetes-elasticnet'], view: 'all' } as const;
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
    }
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}, 180_000);
