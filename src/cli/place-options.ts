import { type Command, InvalidArgumentError } from 'commander';
import { z } from 'zod';
import type { TwoPlaceOptions } from '../job/job-options.ts';
import type { TlsOptions } from '../places/place.ts';
import { positiveInteger } from './selection-options.ts';

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
    .option('--temp-dir <dir>', "directory for spool files (default: the system's)");
}

/** For commands that take a stream with its artifacts. */
export function addArtifactsDirOption(command: Command): Command {
  return command.option('--artifacts-dir <dir>', "directory of a stream's artifact bytes");
}

/** For commands that read a stream. */
export function addAllowEditedOption(command: Command): Command {
  return command.option('--allow-edited', 'accept a stream whose lines were edited');
}

/** The values of all options above. */
export const placeShape = {
  concurrency: z.number().default(8),
  maxRequestsPerSecond: z.number().optional(),
  tempDir: z.string().optional(),
  artifactsDir: z.string().optional(),
  allowEdited: z.boolean().default(false),
  fromCa: z.string().optional(),
  fromClientCert: z.string().optional(),
  fromInsecure: z.boolean().optional(),
  toCa: z.string().optional(),
  toClientCert: z.string().optional(),
  toInsecure: z.boolean().optional(),
};
const placeValues = z.object(placeShape);

/** What they say of the places of a command. */
export function placesOf(values: z.infer<typeof placeValues>) {
  const { concurrency, maxRequestsPerSecond, tempDir, artifactsDir, allowEdited } = values;
  return {
    concurrency,
    maxRequestsPerSecond,
    tempDir,
    artifactsDir,
    allowEdited,
    tls: {
      from: tlsOptions(values.fromCa, values.fromClientCert, values.fromInsecure),
      to: tlsOptions(values.toCa, values.toClientCert, values.toInsecure),
    },
  } satisfies TwoPlaceOptions;
}

function tlsOptions(caFile?: string, clientCertFile?: string, insecure?: boolean): TlsOptions {
  return {
    ...(caFile === undefined ? {} : { caFile }),
    ...(clientCertFile === undefined ? {} : { clientCertFile }),
    ...(insecure === undefined ? {} : { insecure }),
  };
}
