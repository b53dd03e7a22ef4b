import type { IncomingMessage, ServerResponse } from 'node:http';
import { Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { toJson } from '../model/json.ts';
import { contentType } from './content-type.ts';
import { NO_PAGE } from './guard.ts';
import { Refusal } from './refusal.ts';
import type { FileReply, PageReply, Reply } from './reply.ts';

/** Sends a reply. */
export async function send(request: IncomingMessage, response: ServerResponse, reply: Reply): Promise<void> {
  if ('open' in reply) return sendFile(request, response, reply);
  if ('redirect' in reply) {
    response.writeHead(302, { Location: reply.redirect }).end();
    return;
  }
  const [body, type] =
    'json' in reply
      ? [toJson(reply.json), 'application/json']
      : [reply.text, reply.type ?? 'text/plain; charset=utf-8'];
  const bytes = Buffer.from(body);
  if (!response.hasHeader('Content-Security-Policy')) response.setHeader('Content-Security-Policy', NO_PAGE);
  response.setHeader('Content-Type', type);
  response.setHeader('Content-Length', bytes.length);
  response.end(request.method === 'HEAD' ? undefined : bytes);
}

/** Sends what went wrong, as MLflow does. */
export function sendRefusal(response: ServerResponse, { status, error_code, message }: Refusal): void {
  const body = Buffer.from(JSON.stringify({ error_code, message: message.toWellFormed() }));
  response.statusCode = status;
  response.setHeader('Content-Security-Policy', NO_PAGE);
  response.setHeader('Content-Type', 'application/json');
  response.setHeader('Content-Length', body.length);
  if (status === 401) response.setHeader('WWW-Authenticate', 'Basic realm="mlferry", charset="UTF-8"');
  // What is left of a request is thrown away: a client that still sends does not hear the answer otherwise.
  response.req.resume();
  response.end(body);
}

async function sendFile(
  request: IncomingMessage,
  response: ServerResponse,
  reply: FileReply | PageReply,
): Promise<void> {
  const { size, name, type = contentType(name) } = reply;
  const range = size === undefined ? undefined : rangeOf(request.headers.range, size);
  // Opened first: an error still has its status.
  const body = request.method === 'HEAD' ? undefined : await reply.open();
  response.setHeader('Content-Type', type);
  response.setHeader('Content-Security-Policy', 'policy' in reply ? reply.policy : NO_PAGE);
  if (!('policy' in reply))
    response.setHeader('Content-Disposition', `attachment; filename*=UTF-8''${encoded(name)}`);
  if (size !== undefined) {
    response.setHeader('Accept-Ranges', 'bytes');
    response.setHeader('Content-Length', range === undefined ? size : range.end - range.start);
  }
  if (range !== undefined) {
    response.statusCode = 206;
    response.setHeader('Content-Range', `bytes ${range.start}-${range.end - 1}/${size}`);
  }
  if (body === undefined) response.end();
  // Where bytes are missing or wrong the connection breaks, so that nobody takes them for the file.
  else await pipeline(range === undefined ? body : body.compose(cut(range)), response);
}

const encoded = (name: string) =>
  encodeURIComponent(name.toWellFormed()).replace(/['()*]/g, (c) => `%${c.charCodeAt(0).toString(16)}`);

interface Range {
  readonly start: number;
  /** Exclusive. */
  readonly end: number;
}

/** The bytes that a Range header asks for; `undefined`: all, also where it asks for several parts. Throws with status 416. */
function rangeOf(header: string | undefined, size: number): Range | undefined {
  const [, first, last] = /^bytes=(\d*)-(\d*)$/.exec(header ?? '') ?? [];
  if (first === undefined || last === undefined || first + last === '') return undefined;
  const start = first === '' ? Math.max(0, size - Number(last)) : Number(first);
  const end = first === '' || last === '' ? size : Math.min(size, Number(last) + 1);
  if (start < end) return { start, end };
  throw new Refusal('INVALID_PARAMETER_VALUE', `The file has ${size} bytes: the range is not in it`, 416);
}

/** Passes on the bytes of a range. */
function cut({ start, end }: Range): Transform {
  let at = 0;
  return new Transform({
    transform(chunk: Buffer, _encoding, done) {
      const from = Math.max(0, start - at);
      const to = Math.max(0, end - at);
      at += chunk.length;
      const piece = chunk.subarray(from, to);
      if (piece.length > 0) this.push(piece);
      done();
    },
  });
}
