import { afterAll } from 'vitest';
import { type ServerOptions, startServer, type TestServer } from './start-server.ts';

/**
 * One server for a test file, started when a test first asks for it and stopped after the last one. Call it at the
 * top of the file: `const server = sharedServer({ version: '2.9.2' });`, then `const { url } = await server();`.
 */
export function sharedServer(options: ServerOptions = {}): () => Promise<TestServer> {
  let started: Promise<TestServer> | undefined;
  afterAll(async () => {
    await (await started)?.stop();
  });
  return () => {
    started ??= startServer(options);
    return started;
  };
}
