/**
 * Makes the virtual environments with real MLflow, FastTrackML and moto that the tests run against, where they are missing:
 * `node test/servers/install.ts`. Needs python3 with its venv module and PyPI; quick when all is there.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { chromiumPath } from './chromium.ts';
import { hasMariadb } from './mariadb.ts';
import { hasPostgresql } from './postgresql.ts';
import {
  COMPLETE_MARKER,
  FASTTRACKML_VERSION,
  fasttrackmlVenv,
  MLFLOW_VERSIONS,
  MOTO_VERSION,
  motoVenv,
  pythonOf,
  requirementsOf,
  venvOf,
  venvsDirectory,
} from './versions.ts';

const uvVenv = join(venvsDirectory, 'uv');
const uv = join(uvVenv, 'bin', 'uv');

function run(command: string, args: readonly string[]): void {
  const { error, status, stdout, stderr } = spawnSync(command, args, { encoding: 'utf8' });
  if (error === undefined && status === 0) return;
  throw new Error(
    `${command} ${args.join(' ')} failed (${error?.message ?? `exit ${status}`})\n${stdout ?? ''}${stderr ?? ''}`,
  );
}

function isComplete(venv: string, content: string): boolean {
  const marker = join(venv, COMPLETE_MARKER);
  return existsSync(marker) && readFileSync(marker, 'utf8') === content;
}

function installUv(): void {
  if (isComplete(uvVenv, 'uv')) return;
  const check = spawnSync('python3', ['-c', 'import venv, ensurepip'], { encoding: 'utf8' });
  if (check.error !== undefined || check.status !== 0) {
    throw new Error(
      'The tests need python3 with its venv module, to install MLflow (Debian: apt-get install python3 python3-venv).',
    );
  }
  run('python3', ['-m', 'venv', '--clear', uvVenv]);
  run(join(uvVenv, 'bin', 'python'), ['-m', 'pip', 'install', '--quiet', 'uv']);
  writeFileSync(join(uvVenv, COMPLETE_MARKER), 'uv');
}

function installMlflow(): void {
  for (const version of MLFLOW_VERSIONS) {
    const requirements = requirementsOf(version);
    const venv = venvOf(version);
    const content = requirements.join('\n');
    if (isComplete(venv, content)) continue;
    console.error(`Installing MLflow ${version} into ${venv}`);
    installUv();
    // numpy 1.26, which MLflow 2.9 needs, has no wheels for Python 3.13; uv takes or fetches one that fits.
    run(uv, ['venv', '--quiet', '--allow-existing', '--python', '>=3.10,<3.13', venv]);
    run(uv, ['pip', 'install', '--quiet', '--python', pythonOf(version), ...requirements]);
    writeFileSync(join(venv, COMPLETE_MARKER), content);
  }
}

/** A program by itself: it needs none of the Python packages that it names. */
function installFasttrackml(): void {
  const requirement = `fasttrackml==${FASTTRACKML_VERSION}`;
  if (isComplete(fasttrackmlVenv, requirement)) return;
  console.error(`Installing FastTrackML ${FASTTRACKML_VERSION} into ${fasttrackmlVenv}`);
  installUv();
  run(uv, ['venv', '--quiet', '--allow-existing', fasttrackmlVenv]);
  const python = join(fasttrackmlVenv, 'bin', 'python');
  run(uv, ['pip', 'install', '--quiet', '--no-deps', '--python', python, requirement]);
  writeFileSync(join(fasttrackmlVenv, COMPLETE_MARKER), requirement);
}

/** It comes with boto3, the client that tests look at its buckets with. */
function installMoto(): void {
  const requirement = `moto[server]==${MOTO_VERSION}`;
  if (isComplete(motoVenv, requirement)) return;
  console.error(`Installing moto ${MOTO_VERSION} into ${motoVenv}`);
  installUv();
  run(uv, ['venv', '--quiet', '--allow-existing', '--python', '>=3.10,<3.13', motoVenv]);
  const python = join(motoVenv, 'bin', 'python');
  run(uv, ['pip', 'install', '--quiet', '--python', python, requirement]);
  writeFileSync(join(motoVenv, COMPLETE_MARKER), requirement);
}

/** CI must not skip the tests on database servers and in a browser: a bare Debian machine gets them here. */
async function installPackagesInCi(): Promise<void> {
  if (!process.env.CI || process.getuid?.() !== 0) return;
  const missing = [
    ...((await hasPostgresql()) ? [] : ['postgresql']),
    ...((await hasMariadb()) ? [] : ['mariadb-server']),
    ...(chromiumPath() === undefined ? ['chromium'] : []),
  ];
  if (missing.length === 0) return;
  console.error(`Installing ${missing.join(', ')}`);
  run('apt-get', ['update', '-qq']);
  run('apt-get', ['install', '-y', '-qq', '--no-install-recommends', ...missing]);
}

try {
  mkdirSync(venvsDirectory, { recursive: true });
  installMlflow();
  installFasttrackml();
  installMoto();
  await installPackagesInCi();
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
}
