import type { Readable } from 'node:stream';
import { MlferryError } from '../../util/errors.ts';
import type { Reader } from '../place.ts';
import type { PlaceOptions } from '../place-options.ts';
import { checkedBody } from '../record-files/checked-body.ts';
import { decompress, INNER_WINDOW } from '../record-files/decompress.ts';
import { type Input, inputSource, openInput } from '../record-files/input-file.ts';
import { recordedReader } from '../record-files/recorded-reader.ts';
import { type CheckedArchive, checkArchive } from './check-archive.ts';
import type { ArchiveLocation } from './location.ts';
import { createPartCache } from './part-cache.ts';

/**
 * Opens an archive for reading and checks it whole, from the first byte to the last, before it returns. Throws
 * TRUNCATED, CORRUPT, HOSTILE, FORMAT, LOCATION when there is no such file, NO_SPACE for the spool of a compressed one.
 */
export async function openArchiveReader(place: ArchiveLocation, options: PlaceOptions): Promise<Reader> {
  const location = place.path ?? '-';
  const path = place.path ?? 'The standard input';
  const input = await openInput(inputSource(place.path, options.stdin), options);
  try {
    const checked = await checkArchive(input, path, options.tempDir);
    const store = {
      index: checked.index,
      hasCheckedBytes: true,
      bytes: createPartCache(input, checked.parts, path),
      open: async (artifact: { path: string; sha256?: string }, owner: string) =>
        openBlob(input, checked, artifact.sha256, `${artifact.path} of ${owner} in ${path}`),
      close: input.close,
    };
    const { fingerprint } = checked.index.header.source;
    return recordedReader({ kind: 'archive', location, fingerprint }, store, options);
  } catch (error) {
    await input.close();
    throw error;
  }
}

function openBlob(
  input: Input,
  { blobs }: CheckedArchive,
  sha256: string | undefined,
  name: string,
): Readable | undefined {
  if (sha256 === undefined) return undefined;
  const blob = blobs.get(sha256);
  if (blob === undefined)
    throw new MlferryError('SOURCE_ITEM', `${name}: the archive has no bytes with the sha256 ${sha256}`);
  const { entry, compressed, size } = blob;
  const stored = input.read(entry.offset, entry.offset + entry.size);
  const most = { bytes: size, ratio: 0, windowLog: INNER_WINDOW };
  return checkedBody(compressed ? decompress(stored, 'zstd', name, most) : stored, { size, sha256 }, name);
}
