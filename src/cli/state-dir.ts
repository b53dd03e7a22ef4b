import { mkdir } from 'node:fs/promises';
import type { Command } from 'commander';
import { systemCode } from '../util/errors.ts';
import type { Io } from './io.ts';
import { ownDirectory } from './own-directory.ts';

/** `--state-dir`. */
export function addStateDirOption(command: Command): Command {
  return command.option(
    '--state-dir <dir>',
    'directory of the journals (default: $XDG_STATE_HOME/mlferry or ~/.local/state/mlferry)',
  );
}

/** The state directory of a copy. Where the usual one cannot be made, there is a warning and no journal. */
export async function stateDirFor(given: string | undefined, io: Io): Promise<string | undefined> {
  if (given !== undefined) return given;
  const directory = defaultStateDir(io.environment);
  try {
    await mkdir(directory, { recursive: true, mode: 0o700 });
    return directory;
  } catch (error) {
    io.stderr.write(
      `warning: ${directory} cannot be made (${systemCode(error) ?? String(error)}): no journal is kept, and nothing stops a second process on the same job; --state-dir names another directory\n`,
    );
    return undefined;
  }
}

/**
 * Where mlferry keeps its state unless told otherwise: `$XDG_STATE_HOME/mlferry`, else `~/.local/state/mlferry`; on
 * macOS `~/Library/Application Support/mlferry`, on Windows `%LOCALAPPDATA%\mlferry`.
 */
export function defaultStateDir(
  environment: Readonly<Record<string, string | undefined>>,
  platform: NodeJS.Platform = process.platform,
): string {
  return ownDirectory(
    { xdg: ['XDG_STATE_HOME', '.local', 'state'], windows: ['LOCALAPPDATA', 'AppData', 'Local'] },
    environment,
    platform,
  );
}
