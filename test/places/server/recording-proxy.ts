import { createServer, request } from 'node:http';
import type { AddressInfo } from 'node:net';

/** A request that went through, as `POST runs/create`. */
export interface RecordingProxy {
  readonly url: string;
  /** Method and path of every request, without the API's prefix. */
  readonly requests: string[];
  /** The next requests that contain `text` are passed on, but their answers never come back: the socket is cut. */
  loseAnswers(text: string, times: number): void;
  /** The next requests that contain `text` get this answer and are not passed on. */
  answer(text: string, times: number, status: number, body: string): void;
  close(): Promise<void>;
}

/** A proxy in front of a real server, for what a server cannot be told to do. */
export async function startProxy(target: string): Promise<RecordingProxy> {
  const requests: string[] = [];
  const faults: Array<{ text: string; left: number; answer: { status: number; body: string } | undefined }> =
    [];
  const server = createServer((incoming, outgoing) => {
    const name = `${incoming.method} ${(incoming.url ?? '').replace(/^\/(ajax-)?api\/[\d.]+\/mlflow\//, '')}`;
    requests.push(name);
    const fault = faults.find(({ text, left }) => left > 0 && name.includes(text));
    if (fault !== undefined) fault.left--;
    if (fault?.answer !== undefined) {
      incoming.resume();
      outgoing.writeHead(fault.answer.status, { 'content-type': 'application/json' }).end(fault.answer.body);
      return;
    }
    const { method, headers } = incoming;
    const passed = request(new URL(incoming.url ?? '/', target), { method, headers }, (answer) => {
      if (fault !== undefined) {
        answer.resume();
        answer.on('end', () => outgoing.destroy());
        return;
      }
      outgoing.writeHead(answer.statusCode ?? 500, answer.headers);
      answer.pipe(outgoing);
    });
    passed.on('error', () => outgoing.destroy());
    incoming.pipe(passed);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = addressOf(server.address());
  return {
    url: `http://127.0.0.1:${port}`,
    requests,
    loseAnswers: (text, times) => void faults.push({ text, left: times, answer: undefined }),
    answer: (text, times, status, body) => void faults.push({ text, left: times, answer: { status, body } }),
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

function addressOf(address: string | AddressInfo | null): AddressInfo {
  if (address === null || typeof address === 'string') throw new Error('The proxy does not listen on a port');
  return address;
}
