import { once } from 'node:events';
import { pack } from 'tar-stream';

/** Size of a tar header, and what bodies are padded to (bytes). */
export const BLOCK = 512;

/** What every entry of an archive looks like but for its name and size: nothing of the machine or the moment. */
export function entryHeader(name: string, size: number) {
  // 1980: some tars warn of times near 1970.
  return {
    name,
    size,
    mode: 0o644,
    uid: 0,
    gid: 0,
    mtime: new Date('1980-01-01T00:00:00Z'),
    type: 'file' as const,
  };
}

/** The header block that `tar-stream` writes for such an entry. */
export async function tarHeader(name: string, size: number): Promise<Uint8Array> {
  const tar = pack();
  tar.on('error', () => undefined);
  tar.entry(entryHeader(name, size)).on('error', () => undefined);
  const [block]: unknown[] = await once(tar, 'data');
  tar.destroy();
  return block instanceof Uint8Array ? block : new Uint8Array();
}

/** Zero bytes between a body of this size and the next block. */
export function paddingOf(size: number): number {
  return (BLOCK - (size % BLOCK)) % BLOCK;
}
