import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { MlferryError } from '../../../util/errors.ts';
import type { TagChanges } from '../../tag-changes.ts';
import { createKeySpace, listKeyFiles } from '../layout/key-paths.ts';
import type { Staging } from '../layout/staging.ts';

/** Sets and removes tags, files of `directory`. Throws REFUSED, before anything is written, for one that cannot be a file. */
export async function writeTags(staging: Staging, directory: string, tags: TagChanges): Promise<void> {
  const files = (await listKeyFiles(directory)).map(({ key }) => key);
  const problemOf = createKeySpace(directory, files);
  for (const [key, value] of Object.entries(tags)) {
    if (value === null) continue;
    const problem = value.isWellFormed() ? problemOf(key) : 'its value holds half a character';
    if (problem !== undefined)
      throw new MlferryError('REFUSED', `The tag ${JSON.stringify(key)} cannot be a file: ${problem}`);
  }
  for (const [key, value] of Object.entries(tags)) {
    if (value !== null) await staging.replaceFile(join(directory, key), value);
    else if (files.includes(key)) await rm(join(directory, ...key.split('/')), { force: true });
  }
}
