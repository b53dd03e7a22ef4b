import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { z } from 'zod';
import { startMlferry } from '../acceptance/background-mlferry.ts';
import { mlferryArguments } from './shell-commands.ts';

it('the first example of docs/serve.md serves the samples until it is told to end', async () => {
  const [block = ''] = /(?<=^```sh\n).*?(?=^```$)/ms.exec(readFileSync('docs/serve.md', 'utf8')) ?? [];
  const [first = []] = mlferryArguments(block);
  expect(first).toEqual(['serve', 'samples/mlruns']);
  const serving = startMlferry([...first, '--port', '0']);
  const [url] = await once(serving.process.stdout ?? process.stdin, 'data');
  const answer = await fetch(`${String(url).trim()}/api/2.0/mlflow/experiments/search`);
  const { experiments } = z.object({ experiments: z.array(z.unknown()) }).parse(await answer.json());
  expect(experiments).toHaveLength(3);
  serving.process.kill('SIGTERM');
  expect(await serving.ended).toMatchObject({
    status: 143,
    stderr: expect.stringContaining('to be read only'),
  });
});
