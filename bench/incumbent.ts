/** mlflow-export-import, the tool in use today, in a virtual environment of its own beside those of the tests. */
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { NEWEST_MLFLOW, venvsDirectory } from '../test/servers/versions.ts';

/** Version 1.2.0 imports tabulate without asking for it. */
const REQUIREMENTS = ['mlflow-export-import==1.2.0', 'tabulate', `mlflow==${NEWEST_MLFLOW}`];

const venv = join(venvsDirectory, 'mlflow-export-import-1.2.0');

/** What is measured, for the printed heading. */
export const INCUMBENT = `mlflow-export-import 1.2.0 with the client of MLflow ${NEWEST_MLFLOW}`;

/** Path of one of its commands (`export-experiment` …). */
export function incumbentCommand(name: string): string {
  return join(venv, 'bin', name);
}

/** Installs it where it is missing; `node test/servers/install.ts` must have been run before. */
export function installIncumbent(): void {
  const marker = join(venv, REQUIREMENTS.join(' '));
  if (existsSync(marker)) return;
  const uv = join(venvsDirectory, 'uv', 'bin', 'uv');
  run(uv, ['venv', '--quiet', '--clear', '--python', '>=3.10,<3.13', venv]);
  run(uv, ['pip', 'install', '--quiet', '--python', join(venv, 'bin', 'python'), ...REQUIREMENTS]);
  run('touch', [marker]);
}

function run(command: string, args: readonly string[]): void {
  const { error, status } = spawnSync(command, args, { stdio: ['ignore', 'inherit', 'inherit'] });
  if (error !== undefined) throw error;
  if (status !== 0) throw new Error(`${command} ended with status ${status}`);
}
