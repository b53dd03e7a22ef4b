import { mkdir, rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { asMlferryError, systemCode } from '../../util/errors.ts';
import { isNormalized } from '../artifact-path.ts';
import type { ArtifactSink } from '../sink.ts';
import { writeBody } from './put-file.ts';

/** The sink for a directory of this machine. A file appears there whole. */
export function localSink(root: string): ArtifactSink {
  return {
    kind: 'local',
    keepsName: (path) => path.isWellFormed() && !path.includes('\0') && isNormalized(path),
    remove: (path) => rm(join(root, path), { force: true }),
    async put(path, size, open) {
      const file = join(root, path);
      const partial = `${file}.mlferry-partial`;
      try {
        await mkdir(dirname(file), { recursive: true });
        await writeBody(partial, { body: await open(), size, name: path, durable: false });
        await rename(partial, file);
        return { etag: undefined };
      } catch (error) {
        await rm(partial, { force: true });
        const code = systemCode(error) ?? 'no system code';
        throw asMlferryError(error, 'REFUSED', `${file} cannot be written (${code})`);
      }
    },
  };
}
