import { createWriteStream } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import type { KeySizes } from './large-content.ts';

const LINES_AT_ONCE = 10_000;

/** An mlruns directory with one run, which has so many points of each key. */
export async function writeLongRunStore(
  root: string,
  keys: KeySizes,
  valueAt: (step: number) => number | string,
): Promise<void> {
  const experiment = join(root, '1');
  const run_id = '0123456789abcdef0123456789abcdef';
  const run = join(experiment, run_id);
  for (const name of ['metrics', 'params', 'tags', 'artifacts'])
    await mkdir(join(run, name), { recursive: true });
  await writeFile(
    join(experiment, 'meta.yaml'),
    `artifact_location: ${experiment}\nexperiment_id: '1'\nlifecycle_stage: active\nname: long\n`,
  );
  await writeFile(
    join(run, 'meta.yaml'),
    [
      `artifact_uri: ${run}/artifacts`,
      ...['end_time: 1700000900000', "experiment_id: '1'", 'lifecycle_stage: active', `run_id: ${run_id}`],
      ...['run_name: long', 'start_time: 1700000000000', 'status: 3', 'user_id: user', ''],
    ].join('\n'),
  );
  for (const [key, size] of Object.entries(keys)) {
    function* lines() {
      for (let from = 0; from < size; from += LINES_AT_ONCE) {
        const steps = Array.from({ length: Math.min(LINES_AT_ONCE, size - from) }, (_, at) => from + at);
        yield steps.map((step) => `${1_700_000_000_000 + step} ${valueAt(step)} ${step}\n`).join('');
      }
    }
    await pipeline(lines, createWriteStream(join(run, 'metrics', key)));
  }
}
