import { MlferryError } from '../../util/errors.ts';
import type { Location } from '../location.ts';
import type { Writer, WriterOptions } from '../place.ts';
import { openOutputFile, openOutputPipe, refuseExisting } from '../recorded/output.ts';
import { type RecordSink, recordWriter } from '../recorded/record-writer.ts';
import { artifactsDirectory } from './artifacts-directory.ts';

/**
 * Opens an NDJSON stream for writing: a file (under its name only when it is whole) or `options.stdout`. Artifact bytes
 * go to `options.artifactsDir`; without it they are only named, with one loss at the end. Throws CONFLICT when the file
 * exists, LOCATION when it cannot be made.
 */
export async function openStreamWriter(
  place: Extract<Location, { kind: 'stream' }>,
  options: WriterOptions,
): Promise<Writer> {
  const { artifactsDir } = options;
  const location = place.path ?? '-';
  if (options.dryRun && place.path !== undefined)
    await refuseExisting(place.path, options.overwrite ?? false);
  const open = async (): Promise<RecordSink> => {
    const output = await openOutput(place, options);
    return {
      header: output.write,
      lines: output.write,
      ...(artifactsDir === undefined ? {} : { bodies: () => artifactsDirectory(artifactsDir) }),
      end: async (line) => {
        await output.write(line);
        await output.finish();
      },
      abort: output.abort,
    };
  };
  const info = { kind: 'stream' as const, location, fingerprint: options.source.fingerprint };
  return recordWriter(info, open, artifactsDir !== undefined, options);
}

async function openOutput(place: Extract<Location, { kind: 'stream' }>, options: WriterOptions) {
  if (place.path !== undefined)
    return openOutputFile(place.path, place.compression, options.overwrite ?? false);
  if (options.stdout === undefined)
    throw new MlferryError('USAGE', 'There is no standard output to write the stream to');
  return openOutputPipe(options.stdout);
}
