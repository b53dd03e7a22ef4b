import { Pool } from 'undici';

/** Requests in flight: what mlferry uses unless told otherwise. */
export const CONCURRENCY = 8;

/** HTTP with nothing around it: no checks but the status, no retries. */
export interface BareClient {
  /** Body of the answer; throws when the status is not 200. */
  send(method: 'GET' | 'POST' | 'PUT', path: string, body?: string | Buffer): Promise<Buffer>;
  close(): Promise<void>;
}

/** Connects to a server by its base URL. */
export function bareClient(url: string): BareClient {
  const pool = new Pool(url, { connections: CONCURRENCY });
  return {
    async send(method, path, body) {
      const type = typeof body === 'string' ? 'application/json' : 'application/octet-stream';
      const answer = await pool.request({
        method,
        path,
        ...(body === undefined ? {} : { body, headers: { 'content-type': type } }),
      });
      const bytes = Buffer.from(await answer.body.arrayBuffer());
      if (answer.statusCode !== 200) throw new Error(`${method} ${path}: ${answer.statusCode} ${bytes}`);
      return bytes;
    },
    close: () => pool.close(),
  };
}
