import { MlferryError } from '../../util/errors.ts';
import { guardLines } from '../../util/split-lines.ts';
import type { Reader } from '../place.ts';
import type { PlaceOptions } from '../place-options.ts';
import { inputSource, openInput } from '../record-files/input-file.ts';
import { indexRecords } from '../record-files/record-index.ts';
import { decodeRecords, mustBeHeader } from '../record-files/record-lines.ts';
import { recordedReader } from '../record-files/recorded-reader.ts';
import { openStored } from './artifacts-directory.ts';
import type { StreamLocation } from './location.ts';

/**
 * Opens an NDJSON stream for reading, a file or `options.stdin`, compressed or not, and checks it whole first. Throws
 * TRUNCATED, CORRUPT, HOSTILE, FORMAT, and EDITED when the end record does not fit the lines, unless
 * `options.allowEdited`: then the findings say NOT_VOUCHED.
 */
export async function openStreamReader(place: StreamLocation, options: PlaceOptions): Promise<Reader> {
  const location = place.path ?? '-';
  const where = place.path ?? 'The standard input';
  // What no end is known of is refused as soon as it can be.
  const guard = (chunks: AsyncIterable<Uint8Array>) =>
    guardLines(chunks, where, (line) => mustBeHeader(line, where));
  const input = await openInput(inputSource(place.path, options.stdin), options, guard);
  try {
    const index = await indexRecords(decodeRecords(input.read(0, input.size), where), where);
    if (!index.vouched) acceptEdited(where, options);
    const { artifactsDir } = options;
    const store = {
      index,
      hasCheckedBytes: false,
      bytes: input.read,
      open: async (
        { path, size, sha256 }: { path: string; size?: number; sha256?: string },
        owner: string,
      ) =>
        artifactsDir === undefined || sha256 === undefined || size === undefined
          ? undefined
          : openStored(artifactsDir, { size, sha256 }, `${path} of ${owner}`),
      close: input.close,
    };
    const { fingerprint } = index.header.source;
    return recordedReader({ kind: 'stream', location, fingerprint }, store, options);
  } catch (error) {
    await input.close();
    throw error;
  }
}

function acceptEdited(where: string, options: PlaceOptions): void {
  if (options.allowEdited !== true) {
    throw new MlferryError(
      'EDITED',
      `The end record of ${where} does not fit its lines: it was edited or damaged`,
    );
  }
  options.findings.loss({
    code: 'NOT_VOUCHED',
    detail: `The end record no longer fits the lines of ${where}: nothing vouches for this stream.`,
  });
}
