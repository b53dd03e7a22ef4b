import { z } from 'zod';
import { archive as archivePlace } from '../places/archive/index.ts';
import { MlferryError } from '../util/errors.ts';

const compressOption = z.object({ compress: z.enum(['gzip', 'zstd']).optional() });

/** The location of the archive that `mlferry backup` writes. Throws USAGE where the name of a file says how it is compressed. */
export function backupPlace(archive: string, values: unknown): string {
  const { compress } = compressOption.parse(values);
  const { inPipe } = archivePlace;
  if (archive === '-' && inPipe !== undefined)
    return compress === undefined ? inPipe.location : inPipe.compressed[compress];
  if (compress === undefined) return archive;
  throw new MlferryError('USAGE', '--compress is for stdout: the name of a file says how it is compressed', {
    hint: 'Name it *.tar.gz or *.tar.zst.',
  });
}
