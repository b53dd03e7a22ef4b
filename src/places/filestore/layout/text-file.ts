import { readSmallFile } from '../../../util/regular-file.ts';

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
