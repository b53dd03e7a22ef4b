import type { Readable } from 'node:stream';
import { MlferryError } from '../../../util/errors.ts';

/** Most bytes of one JSON answer. Histories, which can be longer, are read as a stream. */
const MAX_ANSWER = 32 * 1024 * 1024;
const MAX_START = 64 * 1024;

/** Marks an answer longer than {@link MAX_ANSWER}; the `cause` of the error. */
export class AnswerTooLarge extends Error {}

/**
 * A whole body as text; `name` of the request goes into messages. Throws SERVER_ERROR (cause {@link AnswerTooLarge})
 * beyond 32 MiB, NOT_MLFLOW when it is not UTF-8.
 */
export async function readBody(body: Readable, name: string): Promise<string> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of bytesOf(body)) {
    bytes += chunk.length;
    if (bytes > MAX_ANSWER) {
      const cause = new AnswerTooLarge();
      throw new MlferryError('SERVER_ERROR', `${name}: an answer of more than ${MAX_ANSWER} bytes`, {
        cause,
      });
    }
    chunks.push(chunk);
  }
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(Buffer.concat(chunks));
  } catch (error) {
    throw new MlferryError('NOT_MLFLOW', `${name}: the answer is not UTF-8 text`, { cause: error });
  }
}

/** The beginning of a body as text, for messages; the rest is not read. */
export async function readStart(body: Readable): Promise<string> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of bytesOf(body)) {
    chunks.push(chunk);
    bytes += chunk.length;
    if (bytes >= MAX_START) break;
  }
  return Buffer.concat(chunks).toString('utf8');
}

/** The chunks of a byte stream, typed. */
export async function* bytesOf(body: Readable): AsyncGenerator<Uint8Array> {
  for await (const chunk of body) {
    if (!(chunk instanceof Uint8Array)) throw new TypeError('a byte stream gave something else than bytes');
    yield chunk;
  }
}
