import { cp, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { mlferry } from '../cli/mlferry.ts';
import { mlferryArguments } from './shell-commands.ts';

test('the commands of docs/from-mlflow-export-import.md work as written, in their order', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'mlferry-docs-'));
  try {
    await cp('test/fixtures/export-import/2025-08/all', join(directory, 'export'), { recursive: true });
    const page = await readFile('docs/from-mlflow-export-import.md', 'utf8');
    const [block = ''] = /(?<=^```sh\n).*?(?=^```$)/ms.exec(page) ?? [];
    const places: Readonly<Record<string, string>> = {
      './export': join(directory, 'export'),
      './mlruns': join(directory, 'mlruns'),
      'backup.tar': join(directory, 'backup.tar'),
      // Copies to servers are tested with servers.
      'http://localhost:5000': join(directory, 'server', 'mlruns'),
    };
    const commands = mlferryArguments(block).map((words) => words.map((word) => places[word] ?? word));
    expect(commands.length).toBeGreaterThan(6);
    for (const command of commands) {
      const { status, out, err } = await mlferry(command, join(directory, 'state'));
      expect([command[0], status, out + err]).toEqual([command[0], 0, expect.any(String)]);
    }
    const { out } = await mlferry(['verify', join(directory, 'backup.tar')], join(directory, 'state'));
    expect(out).toContain('runs: 4 = same');
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
});
