import type * as Sdk from '@aws-sdk/client-s3';
import pLimit, { type LimitFunction } from 'p-limit';
import { loadPackage } from '../../util/load-package.ts';
import { secretRemover } from '../../util/redact.ts';
import { s3Error } from './errors.ts';
import {
  type Environment,
  s3BucketOwner,
  s3Settings,
  s3UploadArguments,
  type UploadArguments,
} from './settings.ts';

/** Large files on their way at once: each has up to two parts in memory. */
const LARGE_FILES = 4;

/** S3, or a store that speaks its protocol, with somebody's credentials. */
export interface S3Connection {
  readonly sdk: typeof Sdk;
  readonly client: Sdk.S3Client;
  /** The URL of a store of one's own; that of AWS has none. */
  readonly endpoint: string;
  readonly signal: AbortSignal;
  readonly uploadArguments: UploadArguments;
  /** Goes with every request. */
  readonly owner: { ExpectedBucketOwner?: string };
  readonly largeFiles: LimitFunction;
  /** Does requests; the SDK's errors become mlferry's. `what` says what is asked for. */
  ask<T>(what: string, requests: () => Promise<T>): Promise<T>;
  close(): void;
}

/**
 * Finds settings and credentials; no bucket is asked for anything yet. Throws UNSUPPORTED
 * without the SDK, DENIED without credentials, CREDENTIALS on settings that are wrong.
 */
export async function connectS3(environment: Environment, signal: AbortSignal): Promise<S3Connection> {
  const uploadArguments = s3UploadArguments(environment);
  const settings = await s3Settings(environment);
  const sdk = await loadPackage('@aws-sdk/client-s3', () => import('@aws-sdk/client-s3'));
  const client = await clientOf(sdk, settings);
  const known = async () => {
    const { accessKeyId, secretAccessKey, sessionToken } = await client.config.credentials();
    return [accessKeyId, secretAccessKey, ...(sessionToken === undefined ? [] : [sessionToken])];
  };
  let clean = (text: string) => text;
  const ask = async <T>(what: string, requests: () => Promise<T>): Promise<T> => {
    try {
      return await requests();
    } catch (error) {
      throw s3Error(error, what, clean);
    }
  };
  try {
    clean = secretRemover(await ask('S3 credentials', known));
  } catch (error) {
    client.destroy();
    throw error;
  }
  return {
    sdk,
    client,
    endpoint: String(settings.endpoint ?? '').replace(/\/+$/, ''),
    signal,
    uploadArguments,
    owner: s3BucketOwner(environment),
    largeFiles: pLimit(LARGE_FILES),
    ask,
    close: () => client.destroy(),
  };
}

/** Without a region anywhere requests go to the first one, from where a bucket's own is found. */
async function clientOf(sdk: typeof Sdk, settings: Sdk.S3ClientConfig): Promise<Sdk.S3Client> {
  const client = new sdk.S3Client(settings);
  try {
    await client.config.region();
    return client;
  } catch {
    client.destroy();
    return new sdk.S3Client({ ...settings, region: 'us-east-1' });
  }
}
