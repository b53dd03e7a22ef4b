/**
 * Measures `mlruns` into a SQLite database beside MLflow's own `mlflow migrate-filestore`, in turn:
 * `node bench/databases.ts [--runs 1000 --keys 20 --points 100 --rounds 1]`. It prints figures and judges nothing.
 */
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { parseArgs } from 'node:util';
import { NEWEST_MLFLOW, pythonOf } from '../test/servers/versions.ts';
import { cpuTimeOfEndedChildren } from './cpu-time.ts';
import { makeMlruns } from './make-mlruns.ts';
import { type Cost, costOf } from './measured-command.ts';

const { values } = parseArgs({
  options: {
    runs: { type: 'string', default: '1000' },
    keys: { type: 'string', default: '20' },
    points: { type: 'string', default: '100' },
    rounds: { type: 'string', default: '1' },
  },
});
const shape = {
  ...{ runs: Number(values.runs), keys: Number(values.keys), points: Number(values.points), files: 0 },
};
const scratch = mkdtempSync(join(tmpdir(), 'mlferry-databases-'));
const mlferry = join(import.meta.dirname, '..', 'bin', 'mlferry.js');

/** The command line of MLflow in a process that writes its greatest size (kB) to a file at the end. */
const MLFLOW = `
import atexit, resource, sys
from mlflow.cli import cli
path = sys.argv.pop(1)
atexit.register(lambda: open(path, "w").write(str(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)))
cli()
`;

function mlflowCost(args: readonly string[]): Cost {
  const file = join(scratch, 'size');
  const before = cpuTimeOfEndedChildren();
  const ended = spawnSync(pythonOf(NEWEST_MLFLOW), ['-c', MLFLOW, file, ...args], { encoding: 'utf8' });
  if (ended.status !== 0) throw new Error(ended.stderr.slice(-4000));
  return { cpu: cpuTimeOfEndedChildren() - before, peak: Number(readFileSync(file, 'utf8')) * 1.024e-3 };
}

function pointsIn(path: string): unknown {
  const database = new DatabaseSync(path, { readOnly: true });
  try {
    return database.prepare('SELECT count(*) AS count FROM metrics').get()?.count;
  } finally {
    database.close();
  }
}

mkdirSync(join(scratch, 'state'), { recursive: true });
try {
  const mlruns = join(scratch, 'mlruns');
  makeMlruns(mlruns, shape);
  const wanted = shape.runs * shape.keys * shape.points;
  console.log(
    `Node ${process.versions.node}, MLflow ${NEWEST_MLFLOW}, ${cpus().length} cores: ${wanted} points\n`,
  );
  console.log('| tool | seconds | CPU s | peak MB | points there |\n| --- | --- | --- | --- | --- |');
  for (let round = 1; round <= Number(values.rounds); round += 1) {
    const tools: Readonly<Record<string, (path: string) => Cost>> = {
      mlferry: (path) => costOf(scratch, [mlferry, 'copy', mlruns, `sqlite:///${path}`, '--init', '-q']),
      'mlflow migrate-filestore': (path) =>
        mlflowCost(['migrate-filestore', '--source', scratch, '--target', `sqlite:///${path}`]),
    };
    for (const [tool, costIn] of Object.entries(tools)) {
      const path = join(scratch, `${tool.replaceAll(' ', '-')}-${round}.db`);
      const start = performance.now();
      const { cpu, peak } = costIn(path);
      const seconds = (performance.now() - start) / 1000;
      console.log(
        `| ${tool} | ${seconds.toFixed(1)} | ${cpu.toFixed(1)} | ${peak.toFixed(0)} | ${String(pointsIn(path))} |`,
      );
      rmSync(path);
    }
  }
} finally {
  rmSync(scratch, { recursive: true, force: true });
}
