import { realpath, stat } from 'node:fs/promises';
import { isAbsent } from '../../util/errors.ts';
import { isInside } from './is-inside.ts';

/** A directory that is, all links followed, in another one: nothing else of this machine is looked into. Throws a system error. */
export async function directoryInside(home: string, path: string): Promise<string | undefined> {
  try {
    const real = await realpath(path);
    return isInside(await realpath(home), real) && (await stat(real)).isDirectory() ? real : undefined;
  } catch (error) {
    if (isAbsent(error)) return undefined;
    throw error;
  }
}
