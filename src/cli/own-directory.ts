import { homedir } from 'node:os';
import { join } from 'node:path';
import type { Io } from './io.ts';

/** Where a system has such files: by its variable, or below the home directory. */
interface Whereabouts {
  readonly xdg: readonly [variable: string, ...path: string[]];
  readonly windows: readonly [variable: string, ...path: string[]];
}

/** The directory `mlferry` there; on macOS below `~/Library/Application Support`. */
export function ownDirectory(
  { xdg, windows }: Whereabouts,
  environment: Io['environment'],
  platform: NodeJS.Platform,
): string {
  const home = environment.HOME || homedir();
  const below = ([variable, ...path]: readonly [string, ...string[]]) =>
    join(environment[variable] || join(home, ...path), 'mlferry');
  if (environment[xdg[0]] || !/^(darwin|win32)$/.test(platform)) return below(xdg);
  if (platform === 'win32') return below(windows);
  return join(home, 'Library', 'Application Support', 'mlferry');
}
