import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { cleanEnvironment } from './clean-environment.ts';
import { freePort, untilHealthy } from './start-server.ts';
import { spawnTied } from './tied-process.ts';
import { fasttrackmlVenv } from './versions.ts';

/**
 * Starts FastTrackML on a free loopback port, with a directory of its own: SQLite, and a directory as artifact root that client
 * and server both see. It dies with this process, however that ends.
 */
export async function startFasttrackml(): Promise<{ url: string; stop(): Promise<void> }> {
  const directory = await mkdtemp(join(tmpdir(), 'mlferry-fasttrackml-'));
  const artifacts = join(directory, 'artifacts');
  await mkdir(artifacts);
  const address = `127.0.0.1:${await freePort()}`;
  const log = join(directory, 'server.log');
  const command = [
    ...[join(fasttrackmlVenv, 'bin', 'fml'), 'server', '--listen-address', address],
    ...['--database-uri', `sqlite://${join(directory, 'fasttrackml.db')}`],
    ...['--default-artifact-root', artifacts],
  ];
  const server = spawnTied(command, { cwd: directory, env: cleanEnvironment(), stdout: log, stderr: log });
  const stop = async () => {
    await server.kill();
    await rm(directory, { recursive: true, force: true });
  };
  try {
    await untilHealthy(`http://${address}`, server, log);
    return { url: `http://${address}`, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}
