import { readFile } from 'node:fs/promises';
import type { S3ClientConfig } from '@aws-sdk/client-s3';
import { z } from 'zod';
import { MlferryError, systemCode } from '../../util/errors.ts';

/** Environment variables. */
export type Environment = Readonly<Record<string, string | undefined>>;

/** Requests are tried this often. */
const ATTEMPTS = 6;
/** ms of silence after which a request has failed, and until a connection is there. */
const SILENCE = 120_000;
const CONNECT = 10_000;

/**
 * How S3 is reached, by the variables that MLflow and boto3 know. Keys in the environment win over a profile, as they do there;
 * anything else that the SDK finds follows (web identity, SSO, processes, containers, machines). A store at an endpoint of its own
 * has its buckets in the path, unless `MLFLOW_BOTO_CLIENT_ADDRESSING_STYLE` says `virtual`. Throws CREDENTIALS.
 */
export async function s3Settings(environment: Environment): Promise<S3ClientConfig> {
  const given = (name: string) => environment[name]?.trim() || undefined;
  const endpoint =
    given('MLFLOW_S3_ENDPOINT_URL') ?? given('AWS_ENDPOINT_URL_S3') ?? given('AWS_ENDPOINT_URL');
  if (endpoint !== undefined && !/^https?:\/\/[^/]/i.test(endpoint))
    throw new MlferryError('CREDENTIALS', 'MLFLOW_S3_ENDPOINT_URL is no http: or https: URL');
  const style = given('MLFLOW_BOTO_CLIENT_ADDRESSING_STYLE');
  const [accessKeyId, secretAccessKey] = [given('AWS_ACCESS_KEY_ID'), given('AWS_SECRET_ACCESS_KEY')];
  const sessionToken = given('AWS_SESSION_TOKEN') ?? given('AWS_SECURITY_TOKEN');
  const keys =
    accessKeyId === undefined || secretAccessKey === undefined
      ? undefined
      : { accessKeyId, secretAccessKey, ...(sessionToken === undefined ? {} : { sessionToken }) };
  const profile = given('AWS_PROFILE') ?? given('AWS_DEFAULT_PROFILE');
  const region = given('AWS_REGION') ?? given('AWS_DEFAULT_REGION');
  const proxies = proxyVariables(environment);
  const agent = { keepAlive: true, maxSockets: 64, ...(proxies === undefined ? {} : { proxyEnv: proxies }) };
  return {
    maxAttempts: ATTEMPTS,
    followRegionRedirects: true,
    // The hash that goes along is Content-MD5, which every S3-compatible store knows.
    requestChecksumCalculation: 'WHEN_REQUIRED',
    responseChecksumValidation: 'WHEN_REQUIRED',
    forcePathStyle: style === 'path' || (endpoint !== undefined && style !== 'virtual'),
    ...(endpoint === undefined ? {} : { endpoint }),
    ...(keys === undefined ? {} : { credentials: keys }),
    ...(keys !== undefined || profile === undefined ? {} : { profile }),
    ...(region === undefined ? {} : { region }),
    requestHandler: {
      connectionTimeout: CONNECT,
      socketTimeout: SILENCE,
      httpAgent: agent,
      httpsAgent: { ...agent, ...(await tlsSettings(given)) },
    },
  };
}

function proxyVariables(environment: Environment): Environment | undefined {
  const names = ['HTTP_PROXY', 'http_proxy', 'HTTPS_PROXY', 'https_proxy'];
  if (!names.some((name) => environment[name])) return undefined;
  return Object.fromEntries([...names, 'NO_PROXY', 'no_proxy'].map((name) => [name, environment[name]]));
}

async function tlsSettings(given: (name: string) => string | undefined) {
  if (/^(true|1)$/i.test(given('MLFLOW_S3_IGNORE_TLS') ?? '')) return { rejectUnauthorized: false };
  const path = given('AWS_CA_BUNDLE');
  if (path === undefined) return {};
  try {
    return { ca: await readFile(path, 'utf8') };
  } catch (error) {
    const reason = systemCode(error) ?? 'unknown reason';
    throw new MlferryError('CREDENTIALS', `AWS_CA_BUNDLE "${path}" cannot be read: ${reason}`, {
      cause: error,
      hint: 'Give the path of a PEM file that this user may read.',
    });
  }
}

/** What `PutObject` takes besides a body: names are those of S3, as boto3 has them too. */
const uploadArguments = z.strictObject({
  ACL: z.enum([
    'authenticated-read',
    'aws-exec-read',
    'bucket-owner-full-control',
    'bucket-owner-read',
    'private',
    'public-read',
    'public-read-write',
  ]),
  CacheControl: z.string(),
  ContentDisposition: z.string(),
  ContentEncoding: z.string(),
  ContentLanguage: z.string(),
  ContentType: z.string(),
  GrantFullControl: z.string(),
  GrantRead: z.string(),
  GrantReadACP: z.string(),
  GrantWriteACP: z.string(),
  Metadata: z.record(z.string(), z.string()),
  RequestPayer: z.literal('requester'),
  ServerSideEncryption: z.enum(['AES256', 'aws:fsx', 'aws:kms', 'aws:kms:dsse']),
  StorageClass: z.enum([
    'DEEP_ARCHIVE',
    'EXPRESS_ONEZONE',
    'FSX_ONTAP',
    'FSX_OPENZFS',
    'GLACIER',
    'GLACIER_IR',
    'INTELLIGENT_TIERING',
    'ONEZONE_IA',
    'OUTPOSTS',
    'REDUCED_REDUNDANCY',
    'SNOW',
    'STANDARD',
    'STANDARD_IA',
  ]),
  SSEKMSKeyId: z.string(),
  SSEKMSEncryptionContext: z.string(),
  BucketKeyEnabled: z.boolean(),
  Tagging: z.string(),
});

const someArguments = uploadArguments.partial();

/** What `MLFLOW_S3_UPLOAD_EXTRA_ARGS` may say. */
export type UploadArguments = z.infer<typeof someArguments>;

/** `MLFLOW_S3_UPLOAD_EXTRA_ARGS`. Throws CREDENTIALS where it is not what S3 takes: without encryption nothing is to be stored. */
export function s3UploadArguments(environment: Environment): UploadArguments {
  const text = environment.MLFLOW_S3_UPLOAD_EXTRA_ARGS?.trim();
  if (!text) return {};
  const parsed = someArguments.safeParse(json(text));
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  const what = `${issue?.path.join('.') || 'it'}: ${issue?.message ?? 'does not fit'}`;
  throw new MlferryError('CREDENTIALS', `MLFLOW_S3_UPLOAD_EXTRA_ARGS: ${what}`, {
    hint: 'It is a JSON object of arguments of PutObject, such as {"ServerSideEncryption": "aws:kms"}.',
  });
}

function json(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** The owner that buckets must have, as a part of every request. */
export function s3BucketOwner(environment: Environment): { ExpectedBucketOwner?: string } {
  const owner = environment.MLFLOW_S3_EXPECTED_BUCKET_OWNER?.trim();
  return owner ? { ExpectedBucketOwner: owner } : {};
}
