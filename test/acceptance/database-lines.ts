import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestServer } from '../servers/start-server.ts';
import { copyReport } from './run-mlferry.ts';

/** Which record lines only one of two readings has. */
interface Readings {
  /** Lines that both have. */
  readonly same: number;
  readonly onlyServer: readonly string[];
  readonly onlyDatabase: readonly string[];
}

/**
 * Reads all that a server holds by its API and from its SQLite file, and compares both line by line: records, points and the
 * hashes of all files. Only times of deletion, which no server tells, are left out.
 */
export async function readBothWays({ url, directory }: TestServer): Promise<Readings> {
  const own = await mkdtemp(join(tmpdir(), 'mlferry-both-ways-'));
  try {
    const byServer = await linesOf(url, join(own, 'server'), []);
    const files = ['--artifacts-root', join(directory, 'artifacts')];
    const byDatabase = await linesOf(join(directory, 'mlflow.db'), join(own, 'database'), files);
    return {
      same: [...byServer].filter((line) => byDatabase.has(line)).length,
      onlyServer: [...byServer].filter((line) => !byDatabase.has(line)),
      onlyDatabase: [...byDatabase].filter((line) => !byServer.has(line)),
    };
  } finally {
    await rm(own, { recursive: true, force: true });
  }
}

async function linesOf(place: string, to: string, options: readonly string[]): Promise<Set<string>> {
  const report = await copyReport([
    ...['copy', place, `${to}.ndjson`, '--view', 'all', '--artifacts-dir', `${to}-artifacts`, ...options],
  ]);
  const unexpected = report.losses.filter(({ code }) => code !== 'MAKE_ANEW');
  if (report.exit_status !== 0 || unexpected.length > 0)
    throw new Error(`${place} is not read whole: ${JSON.stringify(report)}`);
  const lines = (await readFile(`${to}.ndjson`, 'utf8')).trimEnd().split('\n').slice(1, -1);
  return new Set(lines.map((line) => line.replace(/,"deleted_time":\d+/, '')));
}
