import { once } from 'node:events';
import { z } from 'zod';
import type { FoundFiles } from '../manage/files-of.ts';
import { type GetProgress, getArtifacts } from '../manage/get-artifacts.ts';
import { listArtifacts } from '../manage/list-artifacts.ts';
import { openArtifact } from '../manage/open-artifact.ts';
import { systemCode } from '../util/errors.ts';
import { printable } from '../util/plain-text.ts';
import { endWithFailures } from './end-with-failures.ts';
import { formatBytes, formatCount } from './format.ts';
import { BROKEN_PIPE, type Io } from './io.ts';
import { lossText } from './loss-text.ts';
import { placeOf } from './manage-values.ts';
import { progressLine } from './progress-line.ts';
import { formatTable } from './table.ts';
import { warnOfCredentials } from './warn-of-credentials.ts';

/** What the commands of `mlferry artifacts` do. */

const artifactOptions = z.object({
  experiment: z.array(z.string()).default([]),
  excludeExperiment: z.array(z.string()).default([]),
  recursive: z.boolean().default(false),
  output: z.string().default('.'),
  force: z.boolean().default(false),
  json: z.boolean().default(false),
  quiet: z.boolean().default(false),
});

function optionsOf(place: string, values: unknown, io: Io) {
  warnOfCredentials([place], io);
  const own = artifactOptions.parse(values);
  const selection = { experiments: own.experiment, exclude_experiments: own.excludeExperiment };
  return { own, options: { ...placeOf(values, io), selection, stdin: io.stdin } };
}

/** `ls`. */
export async function artifactsLs(
  place: string,
  run: string,
  path: string | undefined,
  values: unknown,
  io: Io,
): Promise<void> {
  const { own, options } = optionsOf(place, values, io);
  const list = await listArtifacts(place, run, path ?? '', { ...options, recursive: own.recursive });
  if (own.json) io.stdout.write(`${JSON.stringify(list)}\n`);
  else {
    const rows = list.artifacts.map(({ path: name, type, size, files }) => [
      size === undefined ? '' : formatBytes(size),
      files === undefined ? '' : formatCount(files),
      type === 'file' ? name : `${name}/`,
    ]);
    if (rows.length > 0) io.stdout.write(formatTable([['size', 'files', 'path'], ...rows]));
    else io.stderr.write('(0 files)\n');
  }
  end(list, io);
}

/** `get`. */
export async function artifactsGet(
  place: string,
  run: string,
  path: string | undefined,
  values: unknown,
  io: Io,
): Promise<void> {
  const { own, options } = optionsOf(place, values, io);
  const progress = progressLine(io, own.quiet, getText);
  const getting = { ...options, force: own.force, onProgress: progress.show };
  const got = await getArtifacts(place, run, path ?? '', own.output, getting).finally(progress.end);
  if (own.json) io.stdout.write(`${JSON.stringify(got)}\n`);
  else if (!own.quiet) {
    const written = got.artifacts.filter(({ outcome }) => outcome === 'written');
    const bytes = written.reduce((sum, { size }) => sum + size, 0);
    const same = got.artifacts.length - written.length;
    io.stderr.write(
      `${formatCount(written.length)} files, ${formatBytes(bytes)} written below ${printable(got.directory)}${same === 0 ? '' : `; ${formatCount(same)} were there already`}\n`,
    );
  }
  end(got, io);
}

function getText({ done, total, bytes }: GetProgress, seconds: number): string {
  const rate = seconds > 0 ? bytes / seconds : 0;
  return `files ${formatCount(done)}/${formatCount(total)} · ${formatBytes(bytes)} (${formatBytes(rate)}/s)`;
}

/** `cat`. */
export async function artifactsCat(
  place: string,
  run: string,
  path: string | undefined,
  values: unknown,
  io: Io,
): Promise<void> {
  const { options } = optionsOf(place, values, io);
  const found = await openArtifact(place, run, path ?? '', options, (body) => print(body, io)).catch(
    (error: unknown) => {
      // Whoever reads it had enough.
      if (systemCode(error) !== 'EPIPE') throw error;
    },
  );
  if (found === undefined) io.exit(BROKEN_PIPE);
  else end(found, io);
}

/** Writes all of it; rejects with EPIPE when nobody reads it any more. */
export async function print(
  body: AsyncIterable<Uint8Array>,
  { stdout, isPipeClosed }: Pick<Io, 'stdout' | 'isPipeClosed'>,
): Promise<void> {
  const pieces: AsyncIterable<Uint8Array | string> = stdout.isTTY === true ? forTerminal(body) : body;
  const gone = new AbortController();
  const onError = (error: unknown) => gone.abort(error);
  stdout.once('error', onError);
  try {
    for await (const piece of pieces) {
      gone.signal.throwIfAborted();
      if (isPipeClosed?.() === true) throw Object.assign(new Error('nobody reads it'), { code: 'EPIPE' });
      if (!stdout.write(piece)) await once(stdout, 'drain', { signal: gone.signal });
    }
    // An empty write calls back when everything before it is out.
    await new Promise<void>((resolve, reject) => {
      stdout.write('', (error) => (error ? reject(error) : resolve()));
    });
  } catch (error) {
    throw gone.signal.aborted ? gone.signal.reason : error;
  } finally {
    stdout.off('error', onError);
  }
}

/** What comes from outside moves no cursor and turns no text round. */
async function* forTerminal(body: AsyncIterable<Uint8Array>): AsyncGenerator<string> {
  const decoder = new TextDecoder();
  const shown = (text: string) => text.replace(/[^\n\t]+/g, printable);
  for await (const bytes of body) yield shown(decoder.decode(bytes, { stream: true }));
  yield shown(decoder.decode());
}

function end({ losses, failures, exit_status }: FoundFiles, io: Io): void {
  for (const loss of losses) io.stderr.write(`note: ${loss.code} ${lossText(loss)}\n`);
  io.exit(exit_status);
  endWithFailures(failures, io);
}
