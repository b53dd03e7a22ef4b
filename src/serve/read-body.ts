import type { IncomingMessage } from 'node:http';
import { z } from 'zod';
import { invalid, Refusal } from './refusal.ts';

/** Most bytes of a request: a list of some ten thousand ids. */
const MOST_BYTES = 2 ** 20;

const objectSchema = z.record(z.string(), z.unknown());

/** The fields of a request's JSON body; none where there is no body. Throws INVALID_PARAMETER_VALUE. */
export async function readBody(request: IncomingMessage): Promise<Record<string, unknown>> {
  const tooLong = new Refusal(
    'INVALID_PARAMETER_VALUE',
    `A request has at most ${MOST_BYTES} bytes here`,
    413,
  );
  if (Number(request.headers['content-length'] ?? 0) > MOST_BYTES) throw tooLong;
  const pieces: Buffer[] = [];
  let length = 0;
  // What is too long is refused before the connection ends.
  for await (const piece of request.iterator({ destroyOnReturn: false })) {
    const bytes = Buffer.from(piece);
    length += bytes.length;
    if (length > MOST_BYTES) throw tooLong;
    pieces.push(bytes);
  }
  if (length === 0) return {};
  try {
    return objectSchema.parse(JSON.parse(Buffer.concat(pieces).toString()));
  } catch {
    throw invalid('The body of the request is not a JSON object');
  }
}
