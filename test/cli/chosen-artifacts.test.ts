import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { fileChooser, fileRulesOf } from '../../src/kinds/file-rules.ts';
import { mlferry } from './mlferry.ts';

const RUN = '0123456789abcdef0123456789abcdef';
const FILES: Readonly<Record<string, number>> = {
  'notes.txt': 10,
  'model/MLmodel': 20,
  'model/weights.ckpt': 5000,
  'checkpoints/epoch=1/state.ckpt': 3000,
  'checkpoints/epoch=1/log.txt': 30,
  'plots/loss.png': 400,
};

let directory: string;
let source: string;
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'mlferry-artifacts-'));
  source = join(directory, 'mlruns');
  const run = join(source, '1', RUN);
  for (const [path, size] of Object.entries(FILES)) {
    await mkdir(join(run, 'artifacts', path, '..'), { recursive: true });
    await writeFile(join(run, 'artifacts', path), 'x'.repeat(size));
  }
  await writeFile(
    join(source, '1', 'meta.yaml'),
    `artifact_location: ${source}/1\nexperiment_id: '1'\nlifecycle_stage: active\nname: one\n`,
  );
  await writeFile(
    join(run, 'meta.yaml'),
    `artifact_uri: ${run}/artifacts\nexperiment_id: '1'\nlifecycle_stage: active\nrun_id: ${RUN}\nrun_name: a\nstart_time: 1\nend_time: 2\nstatus: 3\nuser_id: u\n`,
  );
});
afterAll(() => rm(directory, { recursive: true, force: true }));

const report = z.looseObject({
  sent: z.object({ artifacts: z.int() }),
  runs: z.looseObject({ created: z.int(), updated: z.int(), unchanged: z.int() }),
  loss_counts: z.record(z.string(), z.int()),
  exit_status: z.int(),
  verification: z.looseObject({ items: z.array(z.unknown()), exit_status: z.int() }).optional(),
});

async function copy(target: string, ...options: string[]) {
  const { out } = await mlferry(['copy', source, target, '--json', ...options], directory);
  return report.parse(JSON.parse(out));
}

/** The files that the copies in a directory have. */
async function filesIn(target: string): Promise<string[]> {
  const entries = await readdir(target, { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => entry.isFile())
    .flatMap(({ parentPath, name }) => /\/artifacts\/(.*)$/.exec(join(parentPath, name))?.[1] ?? [])
    .toSorted();
}

describe('artifacts are chosen', () => {
  it.each([
    [
      { excludeArtifacts: ['*.ckpt'] },
      ['checkpoints/epoch=1/log.txt', 'model/MLmodel', 'notes.txt', 'plots/loss.png'],
    ],
    [{ includeArtifacts: ['model'] }, ['model/MLmodel', 'model/weights.ckpt']],
    [
      { includeArtifacts: ['model/', 'plots/**'], excludeArtifacts: ['model/*.ckpt'] },
      ['model/MLmodel', 'plots/loss.png'],
    ],
    [
      { excludeArtifacts: ['checkpoints/*/*.ckpt', '*.png'] },
      ['checkpoints/epoch=1/log.txt', 'model/MLmodel', 'model/weights.ckpt', 'notes.txt'],
    ],
    [{ maxArtifactSize: 400, excludeArtifacts: ['*.txt'] }, ['model/MLmodel', 'plots/loss.png']],
    [{ includeArtifacts: ['*.{png,txt}'] }, ['checkpoints/epoch=1/log.txt', 'notes.txt', 'plots/loss.png']],
    [{ includeArtifacts: ['epoch*'] }, ['checkpoints/epoch=1/log.txt', 'checkpoints/epoch=1/state.ckpt']],
    [{ includeArtifacts: ['/notes.txt'] }, ['notes.txt']],
  ])('by %j', (options, taken) => {
    const isTaken = fileChooser(fileRulesOf(options));
    const paths = Object.entries(FILES).flatMap(([path, size]) => (isTaken({ path, size }) ? [path] : []));
    expect(paths.toSorted()).toEqual(taken);
  });

  it.each(['mlruns', 'archive'] as const)(
    'into: %s; what is left out is named and counted, verify knows it, and a copy without the options brings it',
    async (kind) => {
      const target = join(directory, kind === 'archive' ? 'chosen.tar' : 'chosen/mlruns');
      const options = ['--exclude-artifacts', '*.ckpt', '--max-artifact-size', '0.3kB'];
      const planned = await copy(target, ...options, '--dry-run');
      expect(planned).toMatchObject({
        exit_status: 0,
        sent: { artifacts: 3 },
        loss_counts: { ARTIFACTS_FILTERED: 3 },
      });
      const chosen = await copy(target, ...options, '--verify');
      expect(chosen).toMatchObject({
        exit_status: 0,
        sent: { artifacts: 3 },
        loss_counts: { ARTIFACTS_FILTERED: 3 },
        verification: { items: [], exit_status: 0 },
      });
      const known = await mlferry(['verify', source, target, '--json', ...options], directory);
      expect(JSON.parse(known.out)).toMatchObject({
        items: [],
        exit_status: 0,
        loss_counts: { ARTIFACTS_FILTERED: 3 },
      });
      const whole = await mlferry(['verify', source, target, '--json'], directory);
      expect(JSON.parse(whole.out)).toMatchObject({ exit_status: 4, items: [{ differences: [{}, {}, {}] }] });
      if (kind === 'archive') return;
      expect(await filesIn(target)).toEqual(['checkpoints/epoch=1/log.txt', 'model/MLmodel', 'notes.txt']);
      expect(await copy(target, ...options)).toMatchObject({ runs: { unchanged: 1 }, loss_counts: {} });
      expect(await copy(target, '--verify')).toMatchObject({
        sent: { artifacts: 3 },
        runs: { updated: 1 },
        loss_counts: {},
        verification: { items: [] },
      });
      expect(await filesIn(target)).toEqual(Object.keys(FILES).toSorted());
      // What is whole has what is asked for.
      expect(await copy(target, ...options, '--verify')).toMatchObject({
        runs: { unchanged: 1 },
        verification: { items: [] },
      });
    },
  );

  it('of an archive, which lists its files: what is there is not looked at again, the rest comes later', async () => {
    const archive = join(directory, 'whole.tar');
    const target = join(directory, 'of-archive/mlruns');
    await mlferry(['backup', source, archive], directory);
    const restored = async (...options: string[]) => {
      const { out } = await mlferry(['restore', archive, target, '--json', ...options], directory);
      return report.parse(JSON.parse(out));
    };
    const options = ['--include-artifacts', 'model', '--max-artifact-size', '1k'];
    expect(await restored(...options)).toMatchObject({ sent: { artifacts: 1 }, runs: { created: 1 } });
    expect(await restored(...options)).toMatchObject({ sent: { artifacts: 0 }, runs: { unchanged: 1 } });
    expect(await restored()).toMatchObject({ sent: { artifacts: 5 }, runs: { updated: 1 } });
    expect(await restored(...options)).toMatchObject({ sent: { artifacts: 0 }, runs: { unchanged: 1 } });
    expect(await filesIn(target)).toEqual(Object.keys(FILES).toSorted());
  });

  it('names what is no size or no glob', async () => {
    for (const [option, value] of [
      ['--max-artifact-size', '1X'],
      ['--max-artifact-size', '0'],
      ['--exclude-artifacts', '/'],
    ] as const) {
      const { err, status } = await mlferry(
        ['copy', source, join(directory, 'no'), option, value],
        directory,
      );
      expect([status, err], value).toEqual([2, expect.stringContaining('error USAGE')]);
    }
  });
});
