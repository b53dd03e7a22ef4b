import type { Readable } from 'node:stream';
import type { CompletedPart } from '@aws-sdk/client-s3';
import { asMlferryError, type MlferryError } from '../../util/errors.ts';
import { mapConcurrent } from '../../util/map-concurrent.ts';
import { sizedBody } from '../sized-body.ts';
import type { PutFile } from '../store.ts';
import type { S3Address } from './address.ts';
import type { S3Connection } from './connection.ts';
import { md5, partSize, pieces, plainEtag } from './parts.ts';

/** Files up to this size are in memory as a whole; of larger ones only so many are on their way at once. Bytes. */
const SMALL = 2 ** 20;
/** Parts of a file on their way at once. */
const PARTS = 2;

/** Writes an object, whole or in parts, and gives its mark. */
export async function putObject(
  connection: S3Connection,
  target: S3Address,
  size: number,
  open: () => Promise<Readable>,
): Promise<PutFile> {
  const send = async () => {
    const body = sizedBody(await open(), size, `The body of s3://${target.bucket}/${target.key}`);
    try {
      const put = size > partSize(size) ? putInParts : putWhole;
      return { etag: await put(connection, target, size, body) };
    } finally {
      body.destroy();
    }
  };
  return size <= SMALL ? send() : connection.largeFiles(send);
}

const named = ({ bucket, key }: S3Address) => `s3://${bucket}/${key}`;

async function putWhole(
  { sdk, client, signal, ask, uploadArguments, owner }: S3Connection,
  { bucket, key }: S3Address,
  size: number,
  body: Readable,
): Promise<string | undefined> {
  // The size is that of the only piece, or else sizedBody has thrown.
  for await (const piece of pieces(body, Math.max(size, 1) + 1)) {
    const command = new sdk.PutObjectCommand({
      ...uploadArguments,
      ...owner,
      Bucket: bucket,
      Key: key,
      Body: piece,
      ContentLength: piece.length,
      ContentMD5: md5(piece).base64,
    });
    const what = `PUT ${named({ bucket, key })}`;
    const { ETag } = await ask(what, () => client.send(command, { abortSignal: signal }));
    return plainEtag(ETag);
  }
  return undefined;
}

async function putInParts(
  connection: S3Connection,
  target: S3Address,
  size: number,
  body: Readable,
): Promise<string | undefined> {
  const { sdk, client, signal, ask, uploadArguments, owner } = connection;
  const { bucket: Bucket, key: Key } = target;
  const what = `PUT ${named(target)}`;
  const found = await halfUploads(connection, target);
  const [latest] = found;
  const begun = latest === undefined ? undefined : await partsOf(connection, target, latest);
  const UploadId =
    begun === undefined
      ? (
          await ask(what, () =>
            client.send(new sdk.CreateMultipartUploadCommand({ ...uploadArguments, ...owner, Bucket, Key }), {
              abortSignal: signal,
            }),
          )
        ).UploadId
      : latest;
  const done: CompletedPart[] = [];
  const payer = uploadArguments.RequestPayer;
  const common = {
    ...{ Bucket, Key, UploadId },
    ...owner,
    ...(payer === undefined ? {} : { RequestPayer: payer }),
  };
  try {
    await mapConcurrent(numbered(pieces(body, partSize(size))), PARTS, async ({ piece, PartNumber }) => {
      const hash = md5(piece);
      const there = begun?.get(PartNumber);
      if (there?.etag === hash.hex && there.size === piece.length) {
        done.push({ PartNumber, ETag: there.etag });
        return;
      }
      const command = new sdk.UploadPartCommand({
        ...common,
        PartNumber,
        Body: piece,
        ContentLength: piece.length,
        ContentMD5: hash.base64,
      });
      const { ETag } = await ask(`${what}, part ${PartNumber}`, () =>
        client.send(command, { abortSignal: signal }),
      );
      done.push({ PartNumber, ...(ETag === undefined ? {} : { ETag }) });
    });
    const Parts = done.toSorted((a, b) => (a.PartNumber ?? 0) - (b.PartNumber ?? 0));
    const complete = new sdk.CompleteMultipartUploadCommand({ ...common, MultipartUpload: { Parts } });
    const { ETag } = await ask(what, () => client.send(complete, { abortSignal: signal }));
    for (const id of found) if (id !== UploadId) await abort(connection, target, id);
    return plainEtag(ETag);
  } catch (error) {
    const failure = asMlferryError(error);
    if (!canGoOn(failure)) await abort(connection, target, UploadId);
    throw failure;
  }
}

/** Whether the same command, given again, has use for the parts that are there. */
function canGoOn({ code }: MlferryError): boolean {
  return code === 'INTERRUPTED' || code === 'UNAVAILABLE';
}

async function* numbered(all: AsyncIterable<Buffer>): AsyncGenerator<{ piece: Buffer; PartNumber: number }> {
  let PartNumber = 0;
  for await (const piece of all) {
    PartNumber += 1;
    yield { piece, PartNumber };
  }
}

/** Uploads of this very object that were begun and not ended, newest first; none where they may not be listed. */
async function halfUploads(
  { sdk, client, signal, owner }: S3Connection,
  { bucket: Bucket, key: Key }: S3Address,
): Promise<string[]> {
  try {
    const command = new sdk.ListMultipartUploadsCommand({ ...owner, Bucket, Prefix: Key });
    const { Uploads = [] } = await client.send(command, { abortSignal: signal });
    return Uploads.filter((upload) => upload.Key === Key && upload.UploadId !== undefined)
      .toSorted((a, b) => Number(b.Initiated ?? 0) - Number(a.Initiated ?? 0))
      .flatMap(({ UploadId }) => UploadId ?? []);
  } catch {
    signal.throwIfAborted();
    return [];
  }
}

async function partsOf(
  { sdk, client, signal, owner }: S3Connection,
  { bucket: Bucket, key: Key }: S3Address,
  UploadId: string,
): Promise<Map<number, { size: number; etag: string | undefined }> | undefined> {
  const parts = new Map<number, { size: number; etag: string | undefined }>();
  try {
    for (let PartNumberMarker = '0'; ; ) {
      const command = new sdk.ListPartsCommand({ ...owner, Bucket, Key, UploadId, PartNumberMarker });
      const page = await client.send(command, { abortSignal: signal });
      for (const { PartNumber = 0, Size = -1, ETag } of page.Parts ?? [])
        parts.set(PartNumber, { size: Size, etag: plainEtag(ETag) });
      const next = page.NextPartNumberMarker ?? '0';
      // Of the last page some stores tell a marker too, the first one.
      if (page.IsTruncated !== true || Number(next) <= Number(PartNumberMarker)) return parts;
      PartNumberMarker = next;
    }
  } catch {
    signal.throwIfAborted();
    return undefined;
  }
}

/** Removes what a half upload has stored; that it could not is no error of what is done. */
async function abort(
  { sdk, client, owner }: S3Connection,
  { bucket: Bucket, key: Key }: S3Address,
  UploadId: string | undefined,
): Promise<void> {
  await client
    .send(new sdk.AbortMultipartUploadCommand({ ...owner, Bucket, Key, UploadId }))
    .catch(() => undefined);
}
