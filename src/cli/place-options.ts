import { type Command, InvalidArgumentError } from 'commander';
import { parseSize } from './parse-size.ts';
import { collect, positiveInteger } from './selection-options.ts';

/** The value of an option that measures something. */
export function positiveNumber(text: string): number {
  const value = Number(text);
  if (text.trim() === '' || !Number.isFinite(value) || value <= 0)
    throw new InvalidArgumentError('It is not a number above 0.');
  return value;
}

/** The TLS options of one side. */
export function addTlsOptions(command: Command, side: 'from' | 'to'): Command {
  const name = side === 'from' ? 'source' : 'target';
  return command
    .option(`--${side}-ca <file>`, `certificate authority of the ${name} server (PEM)`)
    .option(`--${side}-client-cert <file>`, `client certificate and key for the ${name} server (PEM)`)
    .option(`--${side}-insecure`, `do not check the ${name} server's certificate`);
}

/** How fast a command works, and where it puts what has to wait. */
export function addPaceOptions(command: Command, of: 'runs' | 'requests' = 'runs'): Command {
  const requests = of === 'runs' ? 'requests to each server' : 'requests';
  return command
    .option(`-c, --concurrency <${of}>`, `${of} in flight`, positiveInteger, 8)
    .option(
      '--max-requests-per-second <number>',
      `${requests} that start in a second (default: no limit)`,
      positiveNumber,
    )
    .option(
      '--bandwidth <rate>',
      'most bytes a second, of files, requests and answers together: 20M, 500k (default: no limit)',
      parseSize,
    )
    .option('--temp-dir <dir>', "directory for spool files (default: the system's)");
}

/** For commands that read a directory. */
export function addDirectoryOptions(command: Command): Command {
  return command
    .option('--strict', 'leave out whole what has a line or file in an mlruns directory that cannot be read')
    .option(
      '--artifacts-root <path>',
      'where the artifact root stands now that an mlruns directory or a database names: a served directory, one of another machine',
    );
}

/** For commands that write to a database, or compare one with its source. */
export function addTargetRootOption(command: Command): Command {
  return command.option(
    '--to-artifacts-root <path>',
    'where the artifact root of the target database stands, of a server (mlflow-artifacts:) or of a new database',
  );
}

/** For commands that take a stream with its artifacts. */
export function addArtifactsDirOption(command: Command): Command {
  return command.option('--artifacts-dir <dir>', "directory of a stream's artifact bytes");
}

/** For commands that read archives and streams. */
export function addIdentityOption(command: Command): Command {
  return command.option(
    '--identity <file>',
    'file with the key (age) that an archive or stream is encrypted to (repeatable)',
    collect,
    [],
  );
}

/** For commands that write archives and streams. */
export function addEncryptOptions(command: Command): Command {
  return command
    .option('--encrypt-to <recipient>', 'encrypt to this public key of age, age1… (repeatable)', collect, [])
    .option('--recipients-file <file>', 'encrypt to the public keys in this file (repeatable)', collect, []);
}

/** For commands that read a stream. */
export function addAllowEditedOption(command: Command): Command {
  return command.option('--allow-edited', 'accept a stream whose lines were edited');
}
