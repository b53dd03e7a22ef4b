import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll } from 'vitest';
import { z } from 'zod';
import { CANARIES } from '../canaries.ts';
import { cleanEnvironment } from './clean-environment.ts';
import { freePort, untilHealthy } from './start-server.ts';
import { spawnTied } from './tied-process.ts';
import { motoVenv } from './versions.ts';

const SCRIPT = fileURLToPath(new URL('../python/s3_objects.py', import.meta.url));

const objects = z.array(z.object({ key: z.string(), size: z.int(), sha256: z.string(), etag: z.string() }));

/** A store that speaks the protocol of S3, and what boto3 sees in it. */
export interface TestStore {
  readonly url: string;
  /** What MLflow and mlferry need to reach it. */
  readonly environment: Readonly<Record<string, string>>;
  /** All objects of a bucket below a prefix, in the order of their keys. */
  objects(bucket: string, prefix?: string): Promise<z.infer<typeof objects>>;
  /** `create BUCKET`, `put BUCKET KEY TEXT`, `fill BUCKET PREFIX COUNT`, `uploads BUCKET` and what else the script can. */
  run(...args: string[]): Promise<string>;
}

/**
 * One moto server for a test file, with these buckets, started when a test first asks for it and stopped after the last one.
 */
export function sharedMoto(...buckets: string[]): () => Promise<TestStore> {
  let started: ReturnType<typeof startMoto> | undefined;
  afterAll(async () => {
    await (await started)?.stop();
  });
  return async () => {
    started ??= startMoto(buckets);
    return started;
  };
}

async function startMoto(buckets: readonly string[]): Promise<TestStore & { stop(): Promise<void> }> {
  const directory = await mkdtemp(join(tmpdir(), 'mlferry-moto-'));
  const port = await freePort();
  const log = join(directory, 'moto.log');
  const url = `http://127.0.0.1:${port}`;
  const python = join(motoVenv, 'bin', 'python');
  const command = [python, join(motoVenv, 'bin', 'moto_server'), '-H', '127.0.0.1', '-p', String(port)];
  const server = spawnTied(command, { cwd: directory, env: cleanEnvironment(), stdout: log, stderr: log });
  const stop = async () => {
    await server.kill();
    await rm(directory, { recursive: true, force: true });
  };
  const environment = {
    MLFLOW_S3_ENDPOINT_URL: url,
    AWS_ACCESS_KEY_ID: CANARIES.aws,
    AWS_SECRET_ACCESS_KEY: CANARIES.aws,
    AWS_DEFAULT_REGION: 'us-east-1',
  };
  const run = async (...args: string[]) => {
    const env = { ...cleanEnvironment(), ...environment };
    const { stdout } = await promisify(execFile)(python, [SCRIPT, url, ...args], {
      env,
      maxBuffer: 2 ** 28,
    });
    return stdout;
  };
  try {
    await untilHealthy(url, server, log, '/moto-api/');
    await run('create', ...buckets);
    return {
      url,
      environment,
      run,
      objects: async (bucket, prefix = '') => objects.parse(JSON.parse(await run('list', bucket, prefix))),
      stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
}
