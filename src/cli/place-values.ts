import { z } from 'zod';
import type { TwoPlaceOptions } from '../job/job-options.ts';
import type { TlsOptions } from '../places/place-options.ts';
import { limitBandwidth } from '../util/bandwidth.ts';

/** The values of the options in place-options.ts. */
export const placeShape = {
  concurrency: z.number().default(8),
  maxRequestsPerSecond: z.number().optional(),
  bandwidth: z.number().optional(),
  tempDir: z.string().optional(),
  artifactsDir: z.string().optional(),
  allowEdited: z.boolean().default(false),
  strict: z.boolean().default(false),
  artifactsRoot: z.string().optional(),
  toArtifactsRoot: z.string().optional(),
  identity: z.array(z.string()).default([]),
  encryptTo: z.array(z.string()).default([]),
  recipientsFile: z.array(z.string()).default([]),
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
  const {
    concurrency,
    maxRequestsPerSecond,
    tempDir,
    artifactsDir,
    allowEdited,
    strict,
    artifactsRoot,
    toArtifactsRoot,
  } = values;
  return {
    concurrency,
    maxRequestsPerSecond,
    bandwidth: values.bandwidth === undefined ? undefined : limitBandwidth(values.bandwidth),
    tempDir,
    artifactsDir,
    allowEdited,
    strict,
    artifactsRoot,
    toArtifactsRoot,
    identityFiles: values.identity,
    encryptTo: values.encryptTo,
    recipientsFiles: values.recipientsFile,
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
