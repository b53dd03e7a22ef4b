import { Readable } from 'node:stream';
import type { GetObjectCommandOutput } from '@aws-sdk/client-s3';
import { MlferryError } from '../../util/errors.ts';
import { sizedBody } from '../sized-body.ts';
import type { S3Address } from './address.ts';
import type { S3Connection } from './connection.ts';

/** How often a body that broke off is taken up, without a byte in between. */
const MOST_BREAKS = 5;

/** The bytes of an object. Where its body breaks off, the rest is asked for, if the object is still the same. */
export async function getObject(
  connection: S3Connection,
  object: S3Address,
  size: number | undefined,
): Promise<Readable> {
  const first = await request(connection, object);
  const { ETag, ContentLength } = first;
  const name = `s3://${object.bucket}/${object.key}`;
  if (size !== undefined && ContentLength !== undefined && ContentLength !== size) {
    bodyOf(first, name).destroy();
    throw new MlferryError('SHORT_BODY', `${name} should have ${size} bytes and has ${ContentLength}`);
  }
  const whole = ContentLength ?? size;
  const bytes = async function* () {
    let at = 0;
    let breaks = 0;
    let body = bodyOf(first, name);
    for (;;) {
      try {
        for await (const chunk of body) {
          at += chunk.length;
          breaks = 0;
          yield chunk;
        }
        if (whole === undefined || at >= whole) return;
      } catch (error) {
        breaks += 1;
        connection.signal.throwIfAborted();
        if (whole === undefined || breaks > MOST_BREAKS) throw error;
        if (at >= whole) return;
      } finally {
        body.destroy();
      }
      body = bodyOf(await request(connection, object, at, ETag), name);
    }
  };
  return sizedBody(Readable.from(bytes(), { objectMode: false }), whole, name);
}

async function request(
  { sdk, client, signal, ask, owner, uploadArguments }: S3Connection,
  { bucket: Bucket, key: Key }: S3Address,
  from = 0,
  etag?: string,
): Promise<GetObjectCommandOutput> {
  const payer = uploadArguments.RequestPayer;
  const command = new sdk.GetObjectCommand({
    ...owner,
    ...(payer === undefined ? {} : { RequestPayer: payer }),
    ...{ Bucket, Key },
    ...(from === 0 ? {} : { Range: `bytes=${from}-` }),
    ...(etag === undefined ? {} : { IfMatch: etag }),
  });
  return ask(`GET s3://${Bucket}/${Key}`, () => client.send(command, { abortSignal: signal }));
}

function bodyOf({ Body }: GetObjectCommandOutput, name: string): Readable {
  if (Body instanceof Readable) return Body;
  throw new MlferryError('SERVER_ERROR', `${name} came without a body`);
}
