import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { asMlferryError } from './errors.ts';
import { whereabouts } from './process-identity.ts';

/**
 * Makes a directory for spool files below `parent`, the system's unless told, and removes those that killed processes
 * left there. Throws LOCATION when `parent` cannot be used, NO_SPACE.
 */
export async function makeTempDir(parent: string = tmpdir()): Promise<string> {
  const prefix = `mlferry-${hostname()}-`;
  try {
    await removeLeftovers(parent, prefix);
    return await mkdtemp(join(parent, `${prefix}${process.pid}-`));
  } catch (error) {
    throw asMlferryError(error, 'LOCATION', `The directory ${parent} cannot be used for spool files`);
  }
}

async function removeLeftovers(parent: string, prefix: string): Promise<void> {
  for (const name of await readdir(parent)) {
    const pid = name.startsWith(prefix) ? /^(\d+)-\w{6}$/.exec(name.slice(prefix.length))?.[1] : undefined;
    if (pid === undefined || whereabouts({ pid: Number(pid), host: hostname() }) !== 'gone') continue;
    // It may be another user's.
    await rm(join(parent, name), { recursive: true, force: true }).catch(() => undefined);
  }
}
