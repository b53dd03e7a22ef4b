import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { listFiles } from '../../../artifacts/local/list-files.ts';
import { MlferryError } from '../../../util/errors.ts';
import { readRegularFile } from '../../../util/regular-file.ts';
import { listKeyFiles } from '../layout/key-paths.ts';
import { listDirectories, META_FILE } from '../layout/layout.ts';
import { type RunLoss, readTexts } from '../read/read-run.ts';

/** What was written of a run. */
export interface WrittenParts {
  readonly meta: string;
  readonly params: readonly (readonly [string, string])[];
  readonly tags: readonly (readonly [string, string])[];
  /** Lines per metric key. */
  readonly points: ReadonlyMap<string, number>;
  readonly inputs: number;
  readonly artifacts: number;
  readonly bytes: number;
}

/** Reads a written run back. Throws MISMATCH naming what differs. */
export async function checkRun(directory: string, written: WrittenParts): Promise<void> {
  const fail = (what: string) => {
    throw new MlferryError('MISMATCH', `The run reads back differently: ${what} (${directory})`);
  };
  if ((await readFile(join(directory, META_FILE), 'utf8')) !== written.meta) fail(META_FILE);
  for (const kind of ['params', 'tags'] as const) {
    const losses: RunLoss[] = [];
    const found = new Map(await readTexts(join(directory, kind), kind, losses));
    const wrong = written[kind].find(([key, value]) => found.get(key) !== value)?.[0];
    if (wrong !== undefined) fail(`${kind} "${wrong}"`);
    if (losses.length > 0 || found.size !== written[kind].length)
      fail(`${found.size} ${kind} of ${written[kind].length}`);
  }
  const series = await listKeyFiles(join(directory, 'metrics'));
  if (series.length !== written.points.size) fail(`${series.length} metrics of ${written.points.size}`);
  for (const { key, path } of series) {
    const lines = countLines(path);
    if (lines !== written.points.get(key))
      fail(`metric "${key}" has ${lines} points of ${written.points.get(key) ?? 0}`);
  }
  const inputs = (await listDirectories(join(directory, 'inputs'))).length;
  if (inputs !== written.inputs) fail(`${inputs} inputs of ${written.inputs}`);
  let artifacts = 0;
  let bytes = 0;
  for await (const file of listFiles(join(directory, 'artifacts'))) {
    artifacts += 1;
    if ('entry' in file) bytes += file.entry.size;
  }
  if (artifacts !== written.artifacts || bytes !== written.bytes) {
    fail(`${artifacts} artifacts of ${written.artifacts}, ${bytes} bytes of ${written.bytes}`);
  }
}

/** Line ends in a file. */
function countLines(path: string): number {
  let lines = 0;
  for (const chunk of readRegularFile(path, 256 * 1024)) {
    for (let at = chunk.indexOf(10); at !== -1; at = chunk.indexOf(10, at + 1)) lines += 1;
  }
  return lines;
}
