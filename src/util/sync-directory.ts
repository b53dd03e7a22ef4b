import { open } from 'node:fs/promises';
import { systemCode } from './errors.ts';

/** Makes renames in a directory durable, where the system can do that. */
export async function syncDirectory(path: string): Promise<void> {
  const directory = await open(path, 'r').catch((error: unknown) => {
    // Windows opens no directories.
    if (['EISDIR', 'EPERM', 'EACCES'].includes(systemCode(error) ?? '')) return undefined;
    throw error;
  });
  if (directory === undefined) return;
  try {
    await directory.sync();
  } catch (error) {
    if (!['EINVAL', 'ENOTSUP', 'EPERM', 'EISDIR'].includes(systemCode(error) ?? '')) throw error;
  } finally {
    await directory.close();
  }
}
