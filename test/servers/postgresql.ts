import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { chownSync, existsSync, mkdirSync, readdirSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { pythonOf } from './versions.ts';

const NOBODY = 65534;
const SHARED_PORT = 5432;

/** A database of a test's own. */
export interface Database {
  /** SQLAlchemy URI. */
  readonly uri: string;
  drop(): Promise<void>;
}

/** Whether a port of 127.0.0.1 accepts connections. */
function isListening(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    const answer = (listening: boolean) => {
      socket.destroy();
      resolve(listening);
    };
    socket.once('connect', () => answer(true));
    socket.once('error', () => answer(false));
  });
}

/** Directory of PostgreSQL's server programs (Debian keeps them off the PATH). */
function programs(): string | undefined {
  const debian = '/usr/lib/postgresql';
  const versions = existsSync(debian) ? readdirSync(debian).sort((a, b) => Number(b) - Number(a)) : [];
  const directories = [
    ...versions.map((version) => join(debian, version, 'bin')),
    ...(process.env.PATH ?? '').split(':'),
  ];
  return directories.find(
    (directory) => existsSync(join(directory, 'initdb')) && existsSync(join(directory, 'postgres')),
  );
}

/** Whether {@link createDatabase} can work: a server on 127.0.0.1:5432, or programs to start one. */
export async function hasPostgresql(): Promise<boolean> {
  return (await isListening(SHARED_PORT)) || programs() !== undefined;
}

/** Runs SQL outside a transaction, through psycopg2 of the newest MLflow's environment. Throws with PostgreSQL's words. */
function execute(port: number, sql: string): void {
  const script =
    'import sys, psycopg2\n' +
    'c = psycopg2.connect(host="127.0.0.1", port=int(sys.argv[1]), user="postgres", dbname="postgres", connect_timeout=10)\n' +
    'c.autocommit = True\n' +
    'c.cursor().execute(sys.argv[2])\n';
  const { status, stderr } = spawnSync(pythonOf('3.17.2'), ['-c', script, String(port), sql], {
    encoding: 'utf8',
  });
  if (status !== 0) throw new Error(`PostgreSQL: ${sql}: ${stderr}`);
}

/**
 * An empty database for one test server: on 127.0.0.1:5432 (user postgres, trust) where one runs, else in a
 * cluster of its own below `directory` on `freePort`. Throws when neither can be had.
 */
export async function createDatabase(directory: string, freePort: () => Promise<number>): Promise<Database> {
  const name = `mlferry_test_${randomUUID().replaceAll('-', '')}`;
  const shared = await isListening(SHARED_PORT);
  const port = shared ? SHARED_PORT : await freePort();
  const cluster = shared ? undefined : await startCluster(join(directory, 'postgresql'), port);
  execute(port, `CREATE DATABASE ${name}`);
  return {
    uri: `postgresql+psycopg2://postgres@127.0.0.1:${port}/${name}`,
    async drop() {
      if (cluster === undefined) execute(port, `DROP DATABASE IF EXISTS ${name} WITH (FORCE)`);
      else cluster.kill('SIGQUIT');
    },
  };
}

async function startCluster(directory: string, port: number): Promise<ChildProcess> {
  const bin = programs();
  if (bin === undefined) throw new Error('PostgreSQL does not run on 127.0.0.1:5432 and is not installed');
  mkdirSync(directory, { mode: 0o700 });
  // PostgreSQL refuses to run as root.
  const user = process.getuid?.() === 0 ? { uid: NOBODY, gid: NOBODY } : {};
  if (process.getuid?.() === 0) chownSync(directory, NOBODY, NOBODY);
  const initdb = spawnSync(join(bin, 'initdb'), ['-D', directory, '-U', 'postgres', '-A', 'trust', '-N'], {
    ...user,
    encoding: 'utf8',
  });
  if (initdb.status !== 0) throw new Error(`initdb failed: ${initdb.stderr}`);
  const options = ['-D', directory, '-p', String(port), '-h', '127.0.0.1', '-k', directory, '-F'];
  const cluster = spawn(join(bin, 'postgres'), options, { ...user, stdio: 'ignore' });
  process.once('exit', () => cluster.kill('SIGQUIT'));
  for (let attempt = 0; attempt < 300; attempt += 1) {
    if (await isListening(port)) return cluster;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  cluster.kill('SIGQUIT');
  throw new Error('PostgreSQL did not start within 30 s');
}
