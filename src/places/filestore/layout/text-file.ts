import { MlferryError } from '../../../util/errors.ts';
import { readSmallFile } from '../../../util/regular-file.ts';
import type { KeyFile } from './key-paths.ts';

const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** The text of UTF-8 bytes (a byte order mark stays), `undefined` when they are none. */
export function decodeUtf8(bytes: Uint8Array): string | undefined {
  try {
    return decoder.decode(bytes);
  } catch {
    return undefined;
  }
}

/** The whole text of a param's or tag's file, line ends as they are; `undefined` when it is not UTF-8. */
export async function readTextFile(path: string): Promise<string | undefined> {
  return decodeUtf8(await readSmallFile(path));
}

/** The text of a key's file. Throws SOURCE_ITEM for one that is not UTF-8, or no file that MLflow made. */
export async function readKeyFile({ path, problem }: KeyFile): Promise<string> {
  const text = problem === undefined ? await readTextFile(path) : undefined;
  if (text === undefined)
    throw new MlferryError('SOURCE_ITEM', `${path} cannot be read: ${problem ?? 'it is not UTF-8'}`);
  return text;
}
