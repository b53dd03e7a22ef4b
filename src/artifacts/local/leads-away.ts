import { realpath } from 'node:fs/promises';
import { isOwnRoot } from '../root.ts';
import { isInside } from './is-inside.ts';

/**
 * Whether links on the way lead to a directory that has nothing to do with the owner of these files: any of this machine's.
 * `homes`: directories that have.
 */
export async function leadsAway(path: string, id: string, homes: readonly string[]): Promise<boolean> {
  const real = await realpath(path).catch(() => undefined);
  if (real === undefined || isOwnRoot(real, id)) return false;
  const allowed = await Promise.all(homes.map((home) => realpath(home).catch(() => home)));
  return !allowed.some((home) => isInside(home, real));
}
