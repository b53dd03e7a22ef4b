import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { randomNumbers, range } from './dataset.ts';

/** How many runs an `mlruns` directory gets, and of what size each. */
export interface Shape {
  readonly runs: number;
  readonly keys: number;
  /** Per key. */
  readonly points: number;
  /** Per run. */
  readonly files: number;
}

const EXPERIMENT = '1';
const FIRST_START = 1_700_000_000_000;
const LINES_AT_ONCE = 10_000;

/** Makes an `mlruns` directory as MLflow's FileStore does, the same each time. */
export function makeMlruns(root: string, { runs, keys, points, files }: Shape): void {
  const experiment = join(root, EXPERIMENT);
  mkdirSync(experiment, { recursive: true });
  writeFileSync(
    join(experiment, 'meta.yaml'),
    `artifact_location: file://${experiment}\ncreation_time: ${FIRST_START}\nexperiment_id: '${EXPERIMENT}'\nlast_update_time: ${FIRST_START}\nlifecycle_stage: active\nname: bench\n`,
  );
  for (const number of range(runs)) {
    const run_id = number.toString(16).padStart(32, '0');
    const directory = join(experiment, run_id);
    const start = FIRST_START + number * 60_000;
    for (const name of ['metrics', 'params', 'tags', 'artifacts'])
      mkdirSync(join(directory, name), { recursive: true });
    writeFileSync(join(directory, 'meta.yaml'), metaOf(run_id, number, start, join(directory, 'artifacts')));
    writeFileSync(join(directory, 'tags', 'mlflow.runName'), `run-${number}`);
    for (const param of range(4)) writeFileSync(join(directory, 'params', `param_${param}`), `${number / 7}`);
    for (const file of range(files))
      writeFileSync(join(directory, 'artifacts', `file-${file}.txt`), `${number} ${file}\n`.repeat(20));
    const random = randomNumbers(number + 1);
    for (const key of range(keys)) {
      const path = join(directory, 'metrics', `metric_${String(key).padStart(2, '0')}`);
      for (let first = 0; first < points; first += LINES_AT_ONCE) {
        const lines = range(Math.min(LINES_AT_ONCE, points - first)).map(
          (step) => `${start + (first + step) * 500} ${random()} ${first + step}\n`,
        );
        writeFileSync(path, lines.join(''), { flag: 'a' });
      }
    }
  }
}

function metaOf(run_id: string, number: number, start: number, artifacts: string): string {
  const fields = {
    artifact_uri: `file://${artifacts}`,
    end_time: start + 55_000,
    entry_point_name: "''",
    experiment_id: `'${EXPERIMENT}'`,
    lifecycle_stage: 'active',
    // Digits alone would be a number to YAML.
    run_id: `'${run_id}'`,
    run_name: `run-${number}`,
    run_uuid: `'${run_id}'`,
    source_name: "''",
    source_type: 4,
    source_version: "''",
    start_time: start,
    status: 3,
    tags: '[]',
    user_id: 'bench',
  };
  return Object.entries(fields)
    .map(([name, value]) => `${name}: ${value}\n`)
    .join('');
}
