import { randomInt } from 'node:crypto';
import { once } from 'node:events';
import { mkdirSync, readFileSync } from 'node:fs';
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { cleanEnvironment } from './clean-environment.ts';
import { forgeOf } from './forge-of.ts';
import { createDatabase } from './postgresql.ts';
import { forkTied, spawnTied, type Task, type TiedProcess } from './tied-process.ts';
import { type MlflowVersion, NEWEST_MLFLOW, pythonOf } from './versions.ts';

const START_LIMIT_MS = 120_000;
/** Newest MLflow refuses its own former default password. */
const ADMIN = { username: 'admin', password: 'mlferry-tests-only' };

/** What kind of server a test wants. */
export interface ServerOptions {
  readonly version?: MlflowVersion;
  readonly store?: 'sqlite' | 'filestore' | 'postgresql';
  /** `proxied`: roots are `mlflow-artifacts:`; `plain`: paths that client and server both see. */
  readonly artifacts?: 'proxied' | 'plain';
  /** Another root that the server does not serve: `s3://bucket/…`. */
  readonly root?: string;
  /** More variables for the server. */
  readonly environment?: Readonly<Record<string, string>>;
  /** MLflow's own basic-auth, newest version only: user name and password are in the TestServer. */
  readonly auth?: boolean;
  /** `--enable-workspaces`, newest version only. */
  readonly workspaces?: boolean;
  /** Server processes; 1 unless given (MLflow's own default is 4). */
  readonly workers?: number;
  /** Starts a process of its own even where a forge could do it. */
  readonly plain?: boolean;
}

/** A real MLflow server on a free loopback port, with a directory of its own. */
export interface TestServer {
  readonly url: string;
  readonly version: MlflowVersion;
  /** Database, artifacts and log; removed by `stop`. */
  readonly directory: string;
  /** With `auth`. */
  readonly username?: string;
  readonly password?: string;
  /** Ends the server and removes all it had. */
  stop(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

/**
 * Starts `mlflow server`, in the tests through a forge, and waits until it answers. It dies with this process, however that ends. Throws with the
 * server's output when it does not start.
 */
export async function startServer(options: ServerOptions = {}): Promise<TestServer> {
  const version = options.version ?? NEWEST_MLFLOW;
  const directory = await mkdtemp(join(tmpdir(), `mlferry-server-${version}-`));
  const cleanups: Array<() => Promise<void>> = [() => rm(directory, { recursive: true, force: true })];
  const stop = async () => {
    while (cleanups.length > 0) await cleanups.pop()?.();
  };
  try {
    const backend = await backendStore(options, directory, cleanups);
    const port = await freePort();
    const log = join(directory, 'server.log');
    const args = serverArguments(options, backend, directory, port);
    const env = await serverEnvironment(options, directory);
    const server = await start(options, args, { cwd: directory, env, stdout: log, stderr: log });
    cleanups.push(() => server.kill());
    const url = `http://127.0.0.1:${port}`;
    await untilHealthy(url, server, log);
    return {
      url,
      version,
      directory,
      ...(options.auth ? ADMIN : {}),
      stop,
      [Symbol.asyncDispose]: stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

async function backendStore(
  options: ServerOptions,
  directory: string,
  cleanups: Array<() => Promise<void>>,
): Promise<string> {
  switch (options.store ?? 'sqlite') {
    case 'sqlite':
      return `sqlite:///${join(directory, 'mlflow.db')}`;
    case 'filestore':
      return join(directory, 'mlruns');
    case 'postgresql': {
      await chmod(directory, 0o711);
      const database = await createDatabase(directory, freePort);
      cleanups.push(() => database.drop());
      return database.uri;
    }
  }
}

function serverArguments(options: ServerOptions, backend: string, directory: string, port: number): string[] {
  // A directory store with a plain root is an `mlruns` as MLflow makes it without a server.
  const local = options.store === 'filestore' && options.artifacts === 'plain';
  const artifacts = join(directory, local ? 'mlruns' : 'artifacts');
  mkdirSync(artifacts, { recursive: true });
  return [
    'server',
    ...['--host', '127.0.0.1', '--port', String(port), '--workers', String(options.workers ?? 1)],
    ...['--backend-store-uri', backend],
    ...(options.artifacts === 'plain' || options.root !== undefined
      ? ['--no-serve-artifacts', '--default-artifact-root', options.root ?? artifacts]
      : ['--artifacts-destination', artifacts]),
    ...(options.auth ? ['--app-name', 'basic-auth'] : []),
    ...(options.workspaces ? ['--enable-workspaces'] : []),
  ];
}

async function serverEnvironment(options: ServerOptions, directory: string): Promise<NodeJS.ProcessEnv> {
  const authConfig = join(directory, 'basic_auth.ini');
  if (options.auth) {
    await writeFile(
      authConfig,
      [
        '[mlflow]',
        'default_permission = READ',
        // Else each request hashes the password, which takes a tenth of a second.
        'auth_cache_ttl_seconds = 3600',
        `database_uri = sqlite:///${join(directory, 'auth.db')}`,
        `admin_username = ${ADMIN.username}`,
        `admin_password = ${ADMIN.password}`,
        'authorization_function = mlflow.server.auth:authenticate_request_basic_auth',
        '',
      ].join('\n'),
    );
  }
  return {
    ...cleanEnvironment(),
    ...options.environment,
    ...(options.auth
      ? { MLFLOW_AUTH_CONFIG_PATH: authConfig, MLFLOW_FLASK_SERVER_SECRET_KEY: 'for-tests-only' }
      : {}),
  };
}

/** A forge forks it off with all that MLflow imports. Several processes import it anew in any case. */
async function start(options: ServerOptions, args: readonly string[], task: Task): Promise<TiedProcess> {
  const version = options.version ?? NEWEST_MLFLOW;
  const forge = options.plain || (options.workers ?? 1) > 1 ? undefined : forgeOf(version);
  return forge === undefined
    ? spawnTied([pythonOf(version), '-m', 'mlflow', ...args], task)
    : forkTied(forge, ['mlflow', ...args], task, { remove: true });
}

/** Waits until a server answers. Throws with its output when it does not start. */
export async function untilHealthy(
  url: string,
  server: TiedProcess,
  log: string,
  path = '/health',
): Promise<void> {
  const limit = Date.now() + START_LIMIT_MS;
  while (Date.now() < limit && !server.hasEnded()) {
    if (await answers(`${url}${path}`)) return;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error(`The server did not start:\n${readFileSync(log, 'utf8').slice(-8000)}`);
}

async function answers(url: string): Promise<boolean> {
  try {
    const response = await fetch(url, { signal: AbortSignal.timeout(5000) });
    await response.arrayBuffer();
    return response.ok;
  } catch {
    return false;
  }
}

/** A loopback port that nothing listens on now, below the range that the system gives to clients meanwhile. */
export async function freePort(): Promise<number> {
  for (let attempt = 0; attempt < 100; attempt += 1) {
    const port = randomInt(10_240, 32_000);
    const probe = createServer();
    try {
      await new Promise<void>((resolve, reject) => {
        probe.once('error', reject).listen(port, '127.0.0.1', resolve);
      });
    } catch {
      continue;
    }
    const closed = once(probe, 'close');
    probe.close();
    await closed;
    return port;
  }
  throw new Error('No free port');
}
