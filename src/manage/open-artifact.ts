import type { Readable } from 'node:stream';
import { MlferryError } from '../util/errors.ts';
import { type FoundFiles, withFilesOf } from './files-of.ts';
import type { ListOptions } from './list-runs.ts';

/**
 * Hands out the bytes of one file of a run, logged model or model version of any place. The stream fails where they are not those that
 * the place tells of. Throws USAGE for a directory, SOURCE_ITEM where the place does not give the bytes, and as {@link withFilesOf}.
 */
export async function openArtifact(
  location: string,
  name: string,
  path: string,
  options: ListOptions,
  take: (body: Readable) => Promise<void>,
): Promise<FoundFiles> {
  const { found } = await withFilesOf(location, name, path, options, async ({ files }, entries, asked) => {
    const entry = entries.find((each) => each.path === asked);
    if (entry === undefined)
      throw new MlferryError('USAGE', `${JSON.stringify(asked)} is a directory: cat prints one file`, {
        hint: 'mlferry artifacts get brings a directory, ls shows what is in it.',
      });
    const body = await files.open(entry);
    if (body === undefined)
      throw new MlferryError(
        'SOURCE_ITEM',
        `The place names ${JSON.stringify(asked)} and does not give its bytes`,
        {
          hint: 'Those of a stream are in its --artifacts-dir.',
        },
      );
    await take(body);
  });
  return found;
}
