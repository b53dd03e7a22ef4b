import { homedir } from 'node:os';
import { join } from 'node:path';
import type { Io } from './io.ts';

/**
 * Where mlferry looks for its configuration: `$XDG_CONFIG_HOME/mlferry`, else `~/.config/mlferry`; on macOS
 * `~/Library/Application Support/mlferry`, on Windows `%APPDATA%\mlferry`.
 */
export function configDir(
  environment: Io['environment'],
  platform: NodeJS.Platform = process.platform,
): string {
  const { XDG_CONFIG_HOME, APPDATA } = environment;
  if (XDG_CONFIG_HOME !== undefined && XDG_CONFIG_HOME !== '') return join(XDG_CONFIG_HOME, 'mlferry');
  const home = environment.HOME || homedir();
  if (platform === 'darwin') return join(home, 'Library', 'Application Support', 'mlferry');
  if (platform === 'win32') return join(APPDATA || join(home, 'AppData', 'Roaming'), 'mlferry');
  return join(home, '.config', 'mlferry');
}
