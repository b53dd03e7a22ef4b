import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { type Connection, createConnection } from 'mysql2/promise';
import type { Database } from './postgresql.ts';

const SHARED_PORT = 3306;

const connectTo = (port: number): Promise<Connection> =>
  createConnection({ host: '127.0.0.1', port, user: 'root', password: '' });

async function isThere(port: number): Promise<boolean> {
  try {
    await (await connectTo(port)).end();
    return true;
  } catch {
    return false;
  }
}

/** The path of a program; Debian keeps servers off the PATH of ordinary users. */
function program(name: string): string | undefined {
  const directories = [...(process.env.PATH ?? '').split(':'), '/usr/sbin'];
  return directories.map((directory) => join(directory, name)).find((path) => existsSync(path));
}

/** Whether {@link createMariadb} can work: a server on 127.0.0.1:3306 (user root, no password), or programs to start one. */
export async function hasMariadb(): Promise<boolean> {
  return (await isThere(SHARED_PORT)) || program('mariadbd') !== undefined;
}

async function execute(port: number, sql: string): Promise<void> {
  const connection = await connectTo(port);
  try {
    await connection.query(sql);
  } finally {
    await connection.end();
  }
}

/**
 * An empty database of a test's own: on 127.0.0.1:3306 where a server is, else in one of its own below `directory` on `freePort`.
 * Throws when neither can be had.
 */
export async function createMariadb(directory: string, freePort: () => Promise<number>): Promise<Database> {
  const name = `mlferry_test_${randomUUID().replaceAll('-', '')}`;
  const shared = await isThere(SHARED_PORT);
  const port = shared ? SHARED_PORT : await freePort();
  const server = shared ? undefined : await startServer(join(directory, 'mariadb'), port);
  await execute(port, `CREATE DATABASE ${name} CHARACTER SET utf8mb4`);
  return {
    uri: `mysql+pymysql://root@127.0.0.1:${port}/${name}`,
    async drop() {
      if (server === undefined) await execute(port, `DROP DATABASE IF EXISTS ${name}`);
      else server.kill('SIGKILL');
    },
  };
}

async function startServer(directory: string, port: number): Promise<ChildProcess> {
  const [install, mariadbd] = [program('mariadb-install-db'), program('mariadbd')];
  if (install === undefined || mariadbd === undefined)
    throw new Error('MariaDB does not run on 127.0.0.1:3306 and is not installed');
  const user = process.getuid?.() === 0 ? ['--user=root'] : [];
  const made = spawnSync(
    install,
    [
      '--no-defaults',
      `--datadir=${directory}`,
      '--auth-root-authentication-method=normal',
      '--skip-test-db',
      ...user,
    ],
    { encoding: 'utf8' },
  );
  if (made.status !== 0) throw new Error(`mariadb-install-db failed: ${made.stdout}${made.stderr}`);
  const options = [
    ...['--no-defaults', `--datadir=${directory}`, `--port=${port}`, '--bind-address=127.0.0.1'],
    ...[`--socket=${join(directory, 'socket')}`, `--pid-file=${join(directory, 'pid')}`, ...user],
  ];
  const server = spawn(mariadbd, options, { stdio: 'ignore' });
  process.once('exit', () => server.kill('SIGKILL'));
  for (let attempt = 0; attempt < 300; attempt += 1) {
    if (await isThere(port)) return server;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  server.kill('SIGKILL');
  throw new Error('MariaDB did not start within 30 s');
}
