import { createHash } from 'node:crypto';
import { createByteSpool } from '../../util/byte-spool.ts';
import { MlferryError } from '../../util/errors.ts';
import type { Writer } from '../place.ts';
import type { WriterOptions } from '../place-options.ts';
import { type Encoding, isPlain } from '../record-files/encoder.ts';
import { encodingOf } from '../record-files/encoding-of.ts';
import { type Output, openOutputFile, openOutputPipe } from '../record-files/output.ts';
import { type PartialDirectory, refuseExisting } from '../record-files/partial-directory.ts';
import { openPartial, type PartialJournal } from '../record-files/partial-journal.ts';
import { createTally, type Tally } from '../record-files/record-tally.ts';
import { type RecordSink, recordWriter } from '../record-files/record-writer.ts';
import { blobStore, type WriteEntry } from './blob-store.ts';
import { INDEX, indexLine, MANIFEST } from './entry-names.ts';
import { readKeptArchive } from './kept-archive.ts';
import type { ArchiveLocation } from './location.ts';
import { createOpenPart } from './open-part.ts';
import { createPartWriter } from './part-writer.ts';
import { BLOCK } from './tar-header.ts';
import { createTarOutput } from './tar-output.ts';

/**
 * Opens an archive for writing; it has its name only once it is whole. The same runs in the same order give the same
 * bytes, also when several attempts were needed: an uncompressed archive that a dead process left unfinished is gone on
 * with. Throws CONFLICT when the file exists or is being written, LOCATION when it cannot be made.
 */
export async function openArchiveWriter(place: ArchiveLocation, options: WriterOptions): Promise<Writer> {
  const { path } = place;
  const encoding = await encodingOf(place, options);
  if (options.dryRun && path !== undefined) await refuseExisting(path, options.overwrite ?? false);
  const { fingerprint } = options.source;
  const info = { kind: 'archive' as const, location: path ?? '-', fingerprint };
  const open = (key: string) =>
    path === undefined
      ? pipeSink(encoding, options)
      : openPartial(path, options.overwrite ?? false, (partial, journal) =>
          sinkIn(partial, journal, encoding, key, options),
        );
  return recordWriter(info, open, true, options);
}

/** An archive that is written without a stop; the lines of its index wait in a spool. */
async function pipeSink(encoding: Encoding, { stdout, tempDir }: WriterOptions): Promise<RecordSink> {
  if (stdout === undefined)
    throw new MlferryError('USAGE', 'There is no standard output to write the archive to');
  const output: Output = await openOutputPipe(stdout, encoding);
  const tar = createTarOutput(output);
  const index = createByteSpool(tempDir);
  const writeEntry: WriteEntry = async (name, size, sha256, body) => {
    const offset = tar.length() + BLOCK;
    await tar.entry(name, size, body);
    await index.append(Buffer.from(indexLine({ name, size, sha256, offset })));
  };
  const parts = createPartWriter(writeEntry);
  const blobs = new Set<string>();
  return {
    kept: [],
    begin: async () => createTally(),
    header: (line) => writeEntry(MANIFEST, line.length, sha256Of(line), each([line])),
    lines: parts.lines,
    bodies: () => blobStore(tempDir, blobs, writeEntry),
    end: async (line) => {
      await parts.flush();
      const length = index.length();
      const lines = async function* () {
        yield* index.read(0, length);
        yield line;
      };
      await tar.entry(INDEX, length + line.length, lines());
      await tar.end();
      await index.remove();
      await output.finish();
    },
    abort: async () => {
      await index.remove();
      await output.abort();
    },
  };
}

const sha256Of = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex');

async function sinkIn(
  partial: PartialDirectory,
  journal: PartialJournal,
  encoding: Encoding,
  key: string,
  { tempDir }: WriterOptions,
): Promise<RecordSink> {
  const resumes = isPlain(encoding);
  const openPart = createOpenPart(partial);
  const found = resumes ? await readKeptArchive(partial, journal, openPart, key) : undefined;
  /** Whether a later attempt has runs to go on from. */
  let keepable = found !== undefined;
  const output = await openOutputFile(partial, encoding, () => keepable);

  const writeEntry: WriteEntry = async (name, size, sha256, body) => {
    const offset = tar.length() + BLOCK;
    await tar.entry(name, size, body);
    const line = { kind: 'entry' as const, name, size, sha256, offset };
    await journal.append(line);
    indexLength += Buffer.byteLength(indexLine(line));
  };
  let indexLength = 0;
  let tar = createTarOutput(output);
  let parts = createPartWriter(writeEntry);
  const blobs = new Set<string>();

  const index = async function* (end: Uint8Array) {
    for await (const { line } of journal.read())
      if (line.kind === 'entry') yield Buffer.from(indexLine(line));
    yield end;
  };
  const closeNotes = async () => {
    await journal.close();
    await openPart.close();
  };

  return {
    kept: found?.records ?? [],
    begin: async (count) => {
      const kept =
        count === (found?.records.length ?? 0)
          ? found
          : await readKeptArchive(partial, journal, openPart, key, count);
      keepable = kept !== undefined && count > 0;
      if (kept === undefined || count === 0) {
        await journal.cut(0);
        await output.cut(0);
        await journal.append({ kind: 'job', version: 1, key });
        return createTally();
      }
      const { data, lines } = kept.commit.line;
      indexLength = kept.commit.indexLength;
      tar = createTarOutput(output, data);
      parts = createPartWriter(writeEntry, kept);
      for (const sha256 of kept.blobs) blobs.add(sha256);
      await openPart.save(parts, lines);
      await journal.cut(kept.commit.end);
      await output.cut(data);
      return kept.tally;
    },
    header: (line) => writeEntry(MANIFEST, line.length, sha256Of(line), each([line])),
    lines: (bytes) => parts.lines(bytes),
    ...(resumes && {
      commit: async (tally: Tally, noted: boolean) => {
        const { bytes: lines, sha256, runs } = tally.end();
        await openPart.save(parts, lines);
        await journal.append({ kind: 'commit', data: tar.length(), lines, sha256, noted });
        keepable ||= runs > 0;
      },
    }),
    bodies: () => blobStore(tempDir, blobs, writeEntry),
    end: async (line) => {
      await parts.flush();
      await tar.entry(INDEX, indexLength + line.length, index(line));
      await tar.end();
      await closeNotes();
      await output.finish();
    },
    abort: async () => {
      await closeNotes().catch(() => undefined);
      await output.abort();
    },
  };
}

async function* each(pieces: readonly Uint8Array[]): AsyncGenerator<Uint8Array> {
  yield* pieces;
}
