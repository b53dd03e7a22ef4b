import { createHash } from 'node:crypto';
import { createByteSpool } from '../../util/byte-spool.ts';
import type { Location } from '../location.ts';
import type { Writer, WriterOptions } from '../place.ts';
import { openOutputFile, refuseExisting } from '../recorded/output.ts';
import { type RecordSink, recordWriter } from '../recorded/record-writer.ts';
import { blobStore, type WriteEntry } from './blob-store.ts';
import { INDEX, indexLine, MANIFEST } from './entry-names.ts';
import { createPartWriter } from './part-writer.ts';
import { createTarOutput } from './tar-output.ts';

type ArchiveLocation = Extract<Location, { kind: 'archive' }>;

/**
 * Opens an archive for writing; it has its name only once it is whole. The same runs in the same order give the same
 * bytes. Throws CONFLICT when the file exists, LOCATION when it cannot be made.
 */
export async function openArchiveWriter(place: ArchiveLocation, options: WriterOptions): Promise<Writer> {
  if (options.dryRun) await refuseExisting(place.path, options.overwrite ?? false);
  const info = { kind: 'archive' as const, location: place.path, fingerprint: options.source.fingerprint };
  return recordWriter(info, () => openSink(place, options), true, options);
}

async function openSink(place: ArchiveLocation, options: WriterOptions): Promise<RecordSink> {
  const output = await openOutputFile(place.path, place.compression, options.overwrite ?? false);
  const tar = createTarOutput(output);
  const index = createByteSpool(options.tempDir);
  const writtenBlobs = new Set<string>();
  const writeEntry: WriteEntry = async (name, size, sha256, body) => {
    const offset = tar.nextOffset();
    await tar.entry(name, size, body);
    await index.append(Buffer.from(indexLine({ name, size, sha256, offset })));
  };
  const parts = createPartWriter(writeEntry);
  return {
    header: async (line) => {
      await writeEntry(MANIFEST, line.length, createHash('sha256').update(line).digest('hex'), each([line]));
    },
    lines: parts.lines,
    bodies: () => blobStore(options.tempDir, writtenBlobs, writeEntry),
    end: async (line) => {
      await parts.flush();
      await index.append(line);
      await tar.entry(INDEX, index.length(), index.read(0, index.length()));
      await tar.end();
      await index.remove();
      await output.finish();
    },
    abort: async () => {
      tar.destroy();
      await index.remove();
      await output.abort();
    },
  };
}

async function* each(pieces: readonly Uint8Array[]): AsyncGenerator<Uint8Array> {
  yield* pieces;
}
