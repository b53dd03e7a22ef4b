import { mkdir } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import type { Command } from 'commander';
import { systemCode } from '../util/errors.ts';
import type { Io } from './io.ts';

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
  const { XDG_STATE_HOME, LOCALAPPDATA } = environment;
  if (XDG_STATE_HOME !== undefined && XDG_STATE_HOME !== '') return join(XDG_STATE_HOME, 'mlferry');
  const home = environment.HOME || homedir();
  if (platform === 'darwin') return join(home, 'Library', 'Application Support', 'mlferry');
  if (platform === 'win32') return join(LOCALAPPDATA || join(home, 'AppData', 'Local'), 'mlferry');
  return join(home, '.local', 'state', 'mlferry');
}
