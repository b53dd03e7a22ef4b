import { execFile } from 'node:child_process';
import { createWriteStream } from 'node:fs';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, it } from 'vitest';
import { cleanEnvironment } from '../../servers/clean-environment.ts';

const CLI = fileURLToPath(new URL('../../../bin/mlferry.js', import.meta.url));
const PEAK = fileURLToPath(new URL('../../acceptance/memory-peak.ts', import.meta.url));

const KEYS = 10;
const POINTS = 40_000;

/** A run.json as mlflow-export-import indents it, 230 bytes a point. */
function* runFile(): Generator<string> {
  const info = { run_id: 'a'.repeat(32), experiment_id: '1', status: 'FINISHED', lifecycle_stage: 'active' };
  yield `{"system": {"mlflow_tracking_uri": "x"}, "mlflow": {"info": ${JSON.stringify(info)}, "metrics": {`;
  for (let key = KEYS; key > 0; key--) {
    yield `${key === KEYS ? '' : ','}\n      "m${key}": [\n`;
    for (let step = 0; step < POINTS; step++) {
      const point = { value: step / 3, timestamp: 1_700_000_000_000 + step, step };
      const unset = { model_id: null, dataset_name: null, dataset_digest: null, run_id: null };
      const text = JSON.stringify({ ...point, ...unset }, null, 2).replaceAll('\n', '\n        ');
      yield `${step === 0 ? '' : ',\n'}        ${text}`;
    }
    yield '\n      ]';
  }
  yield '\n}, "params": {}, "tags": {}, "inputs": {}, "outputs": {}}}\n';
}

it('a run.json of 400,000 points (90 MB) is copied below 200 MiB', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'mlferry-export-memory-'));
  try {
    await pipeline(runFile, createWriteStream(join(directory, 'run.json')));
    const peak = join(directory, 'peak');
    const args = [`--import=${PEAK}`, CLI, 'backup', directory, join(directory, 'b.tar'), '--json'];
    const env = { ...cleanEnvironment(), PEAK_MEMORY_FILE: peak, XDG_STATE_HOME: directory };
    const { stdout } = await promisify(execFile)(process.execPath, args, { env });
    expect(JSON.parse(stdout)).toMatchObject({ sent: { points: KEYS * POINTS }, exit_status: 0 });
    expect(Number(await readFile(peak, 'utf8'))).toBeLessThan(200 * 2 ** 20);
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}, 120_000);
