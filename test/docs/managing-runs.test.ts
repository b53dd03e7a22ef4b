import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { listRuns } from '../../src/manage/list-runs.ts';
import { cleanEnvironment } from '../servers/clean-environment.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const run = promisify(execFile);

test('the examples of docs/managing-runs.md on the samples work as written', async () => {
  const markdown = readFileSync(join(ROOT, 'docs/managing-runs.md'), 'utf8');
  const [, block = ''] = /^## Try it\n.*?^```sh\n(.*?)^```$/ms.exec(markdown) ?? [];
  const lines = block.split('\n').filter((line) => line !== '');
  const directory = await mkdtemp(join(tmpdir(), 'mlferry-managing-docs-'));
  try {
    const outputs: Record<string, string> = {};
    for (const line of lines) {
      const command = line.replaceAll('/tmp/mlferry-demo', directory);
      const env = { ...cleanEnvironment(), XDG_STATE_HOME: join(directory, 'state') };
      // Rejects on any exit status but 0.
      const { stdout, stderr } = await run('sh', ['-c', command], { cwd: ROOT, env });
      outputs[/ (runs|experiments) \w+/.exec(line)?.[0].trim() ?? line] = stdout + stderr;
    }
    expect(Object.keys(outputs)).toHaveLength(9);
    expect(outputs['runs list']).toContain('alpha 0.01');
    expect(outputs['runs csv']).toContain('Run ID,Name,Source Type,Source Name,User,Status,alpha');
    expect(outputs['runs delete']).toContain('Deleted 5 runs.');
    expect(outputs['runs restore']).toContain('Put back 5 runs');
    expect(outputs['runs move']).toContain('Moved 2 runs.');
    expect(outputs['experiments restore']).toContain('Restored 1 experiment.');
    const tagged: string[] = [];
    await listRuns(
      `${directory}/managed`,
      { selection: { filter: "tags.reviewed = 'yes'" } },
      async ({ run_id }) => {
        tagged.push(run_id);
      },
    );
    expect(tagged).toHaveLength(10);
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
});
