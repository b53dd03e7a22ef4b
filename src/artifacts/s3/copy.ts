import type { CompletedPart } from '@aws-sdk/client-s3';
import { asMlferryError } from '../../util/errors.ts';
import type { PutFile, StoredOrigin } from '../store.ts';
import type { S3Address } from './address.ts';
import type { S3Connection } from './connection.ts';
import { plainEtag } from './parts.ts';

/** What `CopyObject` takes; larger files go in parts. Bytes. */
const MOST = 5 * 2 ** 30;
const PART = 2 ** 30;

/** Has the store copy an object, if it is still the one that was listed. `undefined`: it does not. */
export async function copyObject(
  connection: S3Connection,
  target: S3Address,
  from: StoredOrigin,
): Promise<PutFile | undefined> {
  if (from.endpoint !== connection.endpoint) return undefined;
  try {
    return { etag: await (from.size > MOST ? copyInParts : copyWhole)(connection, target, from) };
  } catch (error) {
    const { code } = asMlferryError(error);
    // What reads and what writes may be allowed all the same.
    if (['DENIED', 'NOT_FOUND', 'REFUSED', 'SERVER_ERROR', 'SHORT_BODY'].includes(code)) return undefined;
    throw error;
  }
}

function sourceOf({ bucket, key, etag }: StoredOrigin) {
  return {
    CopySource: `${bucket}/${key}`.split('/').map(encodeURIComponent).join('/'),
    ...(etag === undefined ? {} : { CopySourceIfMatch: `"${etag}"` }),
  };
}

const wordsFor = ({ bucket, key }: S3Address) => `COPY to s3://${bucket}/${key}`;

async function copyWhole(
  { sdk, client, signal, ask, uploadArguments, owner }: S3Connection,
  { bucket: Bucket, key: Key }: S3Address,
  from: StoredOrigin,
): Promise<string | undefined> {
  const command = new sdk.CopyObjectCommand({
    ...uploadArguments,
    ...owner,
    ...{ Bucket, Key },
    ...sourceOf(from),
  });
  const what = wordsFor({ bucket: Bucket, key: Key });
  const { CopyObjectResult } = await ask(what, () => client.send(command, { abortSignal: signal }));
  return plainEtag(CopyObjectResult?.ETag);
}

async function copyInParts(
  { sdk, client, signal, ask, uploadArguments, owner }: S3Connection,
  { bucket: Bucket, key: Key }: S3Address,
  from: StoredOrigin,
): Promise<string | undefined> {
  const what = wordsFor({ bucket: Bucket, key: Key });
  const send = { abortSignal: signal };
  const create = new sdk.CreateMultipartUploadCommand({ ...uploadArguments, ...owner, Bucket, Key });
  const { UploadId } = await ask(what, () => client.send(create, send));
  const upload = { ...owner, Bucket, Key, UploadId };
  try {
    const Parts: CompletedPart[] = [];
    for (let at = 0, PartNumber = 1; at < from.size; at += PART, PartNumber += 1) {
      const command = new sdk.UploadPartCopyCommand({
        ...upload,
        ...sourceOf(from),
        PartNumber,
        CopySourceRange: `bytes=${at}-${Math.min(at + PART, from.size) - 1}`,
      });
      const { CopyPartResult } = await ask(what, () => client.send(command, send));
      Parts.push({ PartNumber, ETag: CopyPartResult?.ETag });
    }
    const complete = new sdk.CompleteMultipartUploadCommand({ ...upload, MultipartUpload: { Parts } });
    const { ETag } = await ask(what, () => client.send(complete, send));
    return plainEtag(ETag);
  } catch (error) {
    await client.send(new sdk.AbortMultipartUploadCommand(upload)).catch(() => undefined);
    throw error;
  }
}
