import { existsSync } from 'node:fs';
import { mkdir, mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { MlferryError } from '../util/errors.ts';
import type { Io } from './io.ts';
import { shellQuote } from './shell-quote.ts';

/** Real output of MLflow, part of the package. */
const SAMPLES = fileURLToPath(new URL('../../samples/mlruns', import.meta.url));

/** Runs the main job on the samples, and shows each command as it would be typed. */
export async function runDemo(
  directory: string | undefined,
  io: Io,
  again: (args: readonly string[]) => Promise<unknown>,
): Promise<void> {
  if (directory !== undefined && existsSync(join(directory, 'backup.tar')))
    throw new MlferryError('CONFLICT', `${directory} holds the results of an earlier demo`);
  const results = directory ?? (await mkdtemp(join(tmpdir(), 'mlferry-demo-')));
  await mkdir(results, { recursive: true });
  const archive = join(results, 'backup.tar');
  const restored = join(results, 'mlruns');
  const samples = relative('.', SAMPLES).startsWith('..') ? SAMPLES : relative('.', SAMPLES);
  const steps: ReadonlyArray<readonly [what: string, args: readonly string[]]> = [
    [
      'Three experiments with nested runs, metric histories and a model, as MLflow writes them:',
      ['runs', 'list', samples],
    ],
    ['A backup in one file:', ['backup', samples, archive]],
    ['What is in it:', ['inspect', archive]],
    [
      'Only the good runs, restored into a directory that MLflow opens:',
      ['restore', archive, restored, '--filter', 'metrics.r2 > 0.3 OR metrics.accuracy > 0.7'],
    ],
    ['The rest, too. What is there already is not sent again:', ['restore', archive, restored]],
    ['Every field, point and byte compared:', ['verify', archive, restored]],
  ];
  for (const [what, args] of steps) {
    io.stderr.write(`\n# ${what}\n$ mlferry ${args.map(shellQuote).join(' ')}\n`);
    await again(args);
  }
  io.stderr.write(
    `\nThe results are in ${results}. With MLflow: MLFLOW_ALLOW_FILE_STORE=true mlflow ui --backend-store-uri ${shellQuote(restored)}\nNext: mlferry copy http://old:5000 http://new:5000 --dry-run\n`,
  );
}
