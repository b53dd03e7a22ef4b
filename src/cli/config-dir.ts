import type { Io } from './io.ts';
import { ownDirectory } from './own-directory.ts';

/**
 * Where mlferry looks for its configuration: `$XDG_CONFIG_HOME/mlferry`, else `~/.config/mlferry`; on macOS
 * `~/Library/Application Support/mlferry`, on Windows `%APPDATA%\mlferry`.
 */
export function configDir(
  environment: Io['environment'],
  platform: NodeJS.Platform = process.platform,
): string {
  return ownDirectory(
    { xdg: ['XDG_CONFIG_HOME', '.config'], windows: ['APPDATA', 'AppData', 'Roaming'] },
    environment,
    platform,
  );
}
