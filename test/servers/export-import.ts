import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { MlflowPlace } from './mlflow-client.ts';
import { runPython } from './run-python.ts';
import { venvsDirectory } from './versions.ts';

/** The newest in the package index; it imports tabulate without asking for it. MLflow is that of who runs it. */
const REQUIREMENTS = ['mlflow-export-import==1.2.0', 'tabulate'];
const directory = join(venvsDirectory, 'mlflow-export-import-1.2.0-alone');

/** Installs mlflow-export-import where it is missing. */
export async function installExportImport(): Promise<void> {
  if (existsSync(directory)) return;
  const partial = `${directory}.${process.pid}`;
  const uv = join(venvsDirectory, 'uv', 'bin', 'uv');
  const args = ['pip', 'install', '--quiet', '--no-deps', '--target', partial, ...REQUIREMENTS];
  const { error, status, stderr } = spawnSync(uv, args, { encoding: 'utf8' });
  if (error !== undefined || status !== 0) throw new Error(`${uv} ${args.join(' ')}: ${error ?? stderr}`);
  await rename(partial, directory).catch(() => rm(partial, { recursive: true }));
}

/** Runs one of its commands (`bulk.export_all` …) with the place's own MLflow. */
export async function exportImport(
  place: MlflowPlace,
  module: string,
  args: readonly string[],
): Promise<void> {
  const script = new URL('../python/export_import.py', import.meta.url);
  await runPython(place.version, script, [place.url, directory, module, ...args]);
}
