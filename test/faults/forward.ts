import { once } from 'node:events';
import { type Agent, type IncomingMessage, request } from 'node:http';
import { buffer } from 'node:stream/consumers';

const HOP_BY_HOP = new Set(['connection', 'keep-alive', 'transfer-encoding', 'host', 'expect']);

/** A whole answer of the server. */
export interface Answer {
  readonly status: number;
  readonly headers: Record<string, string | string[]>;
  readonly body: Buffer;
}

/** Sends a request with this body on to the server. */
export async function forward(
  upstream: string,
  agent: Agent,
  { method, url, headers }: IncomingMessage,
  body: Buffer,
): Promise<Answer> {
  const kept = Object.entries(headers).filter(([name]) => !HOP_BY_HOP.has(name) && name !== 'content-length');
  const outgoing = request(new URL(url ?? '/', upstream), {
    method,
    agent,
    headers: {
      ...Object.fromEntries(kept),
      ...(body.length === 0 && method === 'GET' ? {} : { 'content-length': body.length }),
    },
  });
  const answered = once(outgoing, 'response');
  outgoing.end(body);
  const [response]: IncomingMessage[] = await answered;
  if (response === undefined) throw new Error('no answer');
  const answer = Object.entries(response.headers).filter(
    (header): header is [string, string | string[]] => !HOP_BY_HOP.has(header[0]) && header[1] !== undefined,
  );
  return {
    status: response.statusCode ?? 500,
    headers: Object.fromEntries(answer),
    body: await buffer(response),
  };
}
