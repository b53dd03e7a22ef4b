import { open } from 'node:fs/promises';
import { MlferryError, systemCode } from '../../util/errors.ts';
import { readRange } from '../../util/read-range.ts';
import type { Writer } from '../place.ts';
import type { WriterOptions } from '../place-options.ts';
import { type Encoding, isPlain } from '../record-files/encoder.ts';
import { encodingOf } from '../record-files/encoding-of.ts';
import { type KeptLines, readKeptLines } from '../record-files/kept-records.ts';
import { openOutputFile, openOutputPipe } from '../record-files/output.ts';
import { DATA, type PartialDirectory, refuseExisting } from '../record-files/partial-directory.ts';
import {
  type CommitLine,
  openPartial,
  type PartialJournal,
  type ReadLine,
} from '../record-files/partial-journal.ts';
import { createTally, type Tally } from '../record-files/record-tally.ts';
import { type RecordSink, recordWriter } from '../record-files/record-writer.ts';
import { artifactsDirectory, isStored, removeLeftovers } from './artifacts-directory.ts';
import type { StreamLocation } from './location.ts';

/**
 * Opens an NDJSON stream for writing: a file (under its name only when it is whole) or `options.stdout`. Artifact bytes
 * go to `options.artifactsDir`; without it they are only named, with one loss at the end. An uncompressed file that a dead
 * process left unfinished is gone on with. Throws CONFLICT when the file exists or is being written, LOCATION when it
 * cannot be made.
 */
export async function openStreamWriter(place: StreamLocation, options: WriterOptions): Promise<Writer> {
  const { path } = place;
  const encoding = await encodingOf(place, options);
  if (!options.dryRun && options.artifactsDir !== undefined) await removeLeftovers(options.artifactsDir);
  if (options.dryRun && path !== undefined) await refuseExisting(path, options.overwrite ?? false);
  const open = (key: string) =>
    path === undefined
      ? pipeSink(encoding, options)
      : openPartial(path, options.overwrite ?? false, (partial, journal) =>
          sinkIn(partial, journal, encoding, key, options),
        );
  const info = {
    kind: 'stream' as const,
    location: path ?? '-',
    fingerprint: options.source.fingerprint,
  };
  return recordWriter(info, open, options.artifactsDir !== undefined, options);
}

const bodiesOf = ({ artifactsDir }: WriterOptions): Pick<RecordSink, 'bodies'> =>
  artifactsDir === undefined ? {} : { bodies: () => artifactsDirectory(artifactsDir) };

async function pipeSink(encoding: Encoding, options: WriterOptions): Promise<RecordSink> {
  if (options.stdout === undefined)
    throw new MlferryError('USAGE', 'There is no standard output to write the stream to');
  const output = await openOutputPipe(options.stdout, encoding);
  return {
    kept: [],
    begin: async () => createTally(),
    header: output.write,
    lines: output.write,
    ...bodiesOf(options),
    end: async (line) => {
      await output.write(line);
      await output.finish();
    },
    abort: output.abort,
  };
}

async function sinkIn(
  partial: PartialDirectory,
  journal: PartialJournal,
  encoding: Encoding,
  key: string,
  options: WriterOptions,
): Promise<RecordSink> {
  const resumes = isPlain(encoding);
  const readKept = (limit: number) => readKeptStream(partial, journal, key, options.artifactsDir, limit);
  const found = resumes ? await readKept(Number.POSITIVE_INFINITY) : undefined;
  /** Whether a later attempt has runs to go on from. */
  let keepable = found !== undefined;
  const output = await openOutputFile(partial, encoding, () => keepable);
  return {
    kept: found?.records ?? [],
    begin: async (count) => {
      const kept = count === (found?.records.length ?? 0) ? found : await readKept(count);
      keepable = kept !== undefined && count > 0;
      if (kept !== undefined && count > 0) {
        await journal.cut(kept.commit.end);
        await output.cut(kept.commit.line.data);
        return kept.tally;
      }
      await journal.cut(0);
      await output.cut(0);
      await journal.append({ kind: 'job', version: 1, key });
      return createTally();
    },
    header: output.write,
    lines: output.write,
    ...(resumes && {
      commit: async (tally: Tally, noted: boolean) => {
        const { bytes, sha256, runs } = tally.end();
        await journal.append({ kind: 'commit', data: bytes, lines: bytes, sha256, noted });
        keepable ||= runs > 0;
      },
    }),
    ...bodiesOf(options),
    end: async (line) => {
      await output.write(line);
      await journal.close();
      await output.finish();
    },
    abort: async () => {
      await journal.close().catch(() => undefined);
      await output.abort();
    },
  };
}

/** What an earlier attempt with the same key left, at most `limit` records, every byte of it checked. */
async function readKeptStream(
  partial: PartialDirectory,
  journal: PartialJournal,
  key: string,
  artifactsDir: string | undefined,
  limit: number,
): Promise<KeptLines | undefined> {
  const commits: ReadLine<CommitLine>[] = [];
  for await (const { line, end } of journal.read()) {
    if (line.kind === 'job' && line.key !== key) return undefined;
    if (line.kind === 'commit') commits.push({ line, end });
  }
  const path = partial.file(DATA);
  const file = await open(path, 'r').catch((error: unknown) => {
    if (systemCode(error) !== 'ENOENT') throw error;
  });
  if (file === undefined) return undefined;
  try {
    const lines = readRange(file, 0, (await file.stat()).size, path);
    const hasBytes = async ({ size, sha256 }: { size: number; sha256?: string | undefined }) =>
      sha256 === undefined || artifactsDir === undefined || isStored(artifactsDir, { size, sha256 });
    return await readKeptLines(lines, commits, hasBytes, limit);
  } finally {
    await file.close();
  }
}
