import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { pointsOf } from '../../../src/model/points.ts';
import { openArchiveReader } from '../../../src/places/archive/reader.ts';
import { openArchiveWriter } from '../../../src/places/archive/writer.ts';
import { anyWorkspace } from '../arbitraries.ts';
import { archiveAt } from '../locations.ts';
import {
  makeExperiment,
  makeRun,
  readerOptions,
  readWorkspace,
  sha256,
  testOptions,
  type Workspace,
  writeRuns,
  writeWorkspace,
} from '../memory-workspace.ts';
import { workspaceText } from '../workspace-text.ts';

let dir: string;
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'archive-test-'));
});
afterAll(() => rm(dir, { recursive: true, force: true }));

let count = 0;
async function write(workspace: Workspace, { suffix = '.tar', concurrency = 4 } = {}): Promise<string> {
  count += 1;
  const path = join(dir, `a${count}${suffix}`);
  await writeWorkspace(
    workspace,
    await openArchiveWriter(archiveAt(path), testOptions(dir).options),
    concurrency,
  );
  return path;
}
const read = async (path: string) =>
  readWorkspace(await openArchiveReader(archiveAt(path), readerOptions(dir).options));

/** Several parts, blobs raw, compressed, empty and shared. */
async function manyParts(): Promise<Workspace> {
  const noise = Buffer.from(Array.from({ length: 100_000 }, (_, i) => (i * i * 2654435761) >>> 24));
  const runs = Array.from({ length: 12 }, (_, r) => {
    const points = Array.from({ length: 22_000 }, (_, i): [number, number, number] => [
      i,
      1.7e12 + i,
      Math.sin(i * r),
    ]);
    return makeRun(
      { run_id: `run-${r}`, start_time: r },
      [['loss', points]],
      [
        ['empty', Buffer.alloc(0)],
        ['model/noise.bin', noise],
        [`model/own-${r}.txt`, Buffer.alloc(200_000, `own ${r}\n`)],
      ],
    );
  });
  return [{ experiment: makeExperiment(), runs: await Promise.all(runs) }];
}

describe('archive', () => {
  it('gives back any workspace, whatever is in it', async () => {
    await fc.assert(
      fc.asyncProperty(anyWorkspace, async (make) => {
        const workspace = await make();
        expect(workspaceText(await read(await write(workspace)))).toEqual(workspaceText(workspace));
      }),
      { numRuns: 60 },
    );
  });

  it.each(['.tar', '.tar.gz', '.tgz', '.tar.zst'])(
    'gives back several parts and blobs from %s',
    async (suffix) => {
      const workspace = await manyParts();
      const path = await write(workspace, { suffix });
      expect(workspaceText(await read(path))).toEqual(workspaceText(workspace));
    },
  );

  it.each(['.tar', '.tar.gz', '.tar.zst'])(
    'has the same bytes each time, at any concurrency: %s',
    async (suffix) => {
      const workspace = await manyParts();
      const hashes = new Set<string>();
      for (const concurrency of [1, 3, 8]) {
        hashes.add(sha256(await readFile(await write(workspace, { suffix, concurrency }))));
      }
      expect(hashes.size).toBe(1);
    },
  );

  it('can be read with a wrong suffix: the first bytes tell the compression', async () => {
    const workspace = [{ experiment: makeExperiment(), runs: [await makeRun()] }];
    const gz = await write(workspace, { suffix: '.tar.gz' });
    const renamed = join(dir, 'renamed.tar.zst');
    await writeFile(renamed, await readFile(gz));
    expect(workspaceText(await read(renamed))).toEqual(workspaceText(workspace));
  });

  it('is unpacked by the system’s tar, and its pieces joined are a stream', async () => {
    const workspace = await manyParts();
    const path = await write(workspace);
    const out = await mkdtemp(join(dir, 'unpacked-'));
    execFileSync('tar', ['-xf', path, '-C', out]);
    const names = (await readdir(out, { recursive: true })).sort();
    expect(names).toEqual(
      expect.arrayContaining(['index.ndjson', 'manifest.json', 'records/000002.ndjson.zst']),
    );
    const index = (await readFile(join(out, 'index.ndjson'), 'utf8')).trimEnd().split('\n');
    const tar = await readFile(path);
    for (const line of index.slice(0, -1)) {
      const { name, size, sha256: hash, offset } = JSON.parse(line);
      expect(sha256(await readFile(join(out, name)))).toBe(hash);
      expect(sha256(tar.subarray(offset, offset + size))).toBe(hash);
    }
  });

  it('holds each content once', async () => {
    const same = Buffer.alloc(5000, 'same');
    const runs = [1, 2, 3].map((r) =>
      makeRun(
        { run_id: `${r}`, start_time: r },
        [],
        [
          ['a', same],
          ['b', same],
        ],
      ),
    );
    const path = await write([{ experiment: makeExperiment(), runs: await Promise.all(runs) }]);
    const list = execFileSync('tar', ['-tf', path], { encoding: 'utf8' }).split('\n');
    expect(list.filter((name) => name.startsWith('blobs/'))).toHaveLength(1);
  });

  it('leaves out a run that fails while it is collected, and goes on', async () => {
    const path = join(dir, 'failing.tar');
    const good = [
      await makeRun({ run_id: 'a', start_time: 1 }),
      await makeRun({ run_id: 'c', start_time: 3 }),
    ];
    const writer = await openArchiveWriter(archiveAt(path), testOptions(dir).options);
    const experiment = makeExperiment();
    const target = await writer.experiment(experiment, experiment.name);
    const run = (of: Awaited<ReturnType<typeof makeRun>>, fail: boolean) =>
      writer.run(
        {
          run: of.run,
          metrics: async function* () {
            yield { key: 'm', points: pointsOf([[0, 0, 0]]) };
            if (fail) throw new Error('the source broke');
          },
          artifacts: async function* () {},
          open: async () => undefined,
        },
        { experiment: target, origin: 'f/x', digest: '', remap: () => of.run },
      );
    const results = await Promise.allSettled([
      run(good[0] ?? (await makeRun()), false),
      run(await makeRun({ run_id: 'b', start_time: 2 }), true),
      run(good[1] ?? (await makeRun()), false),
    ]);
    await writer.finish();
    expect(results.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
    expect(results[1]).toMatchObject({ reason: { name: 'MlferryError', code: 'SOURCE_ITEM' } });
    const back = await read(path);
    expect(back[0]?.runs.map(({ run: { run_id } }) => run_id)).toEqual(['a', 'c']);
  });

  it('refuses to replace a file, unless told to, and leaves it as it is when given up', async () => {
    const workspace = [{ experiment: makeExperiment(), runs: [await makeRun()] }];
    const path = await write(workspace);
    const before = await readFile(path);
    const { options } = testOptions(dir);
    await expect(openArchiveWriter(archiveAt(path), options)).rejects.toMatchObject({ code: 'CONFLICT' });
    await expect(openArchiveWriter(archiveAt(path), { ...options, dryRun: true })).rejects.toMatchObject({
      code: 'CONFLICT',
    });
    const writer = await openArchiveWriter(archiveAt(path), { ...options, overwrite: true });
    await writeRuns(workspace, writer, 2);
    expect(existsSync(`${path}.partial`)).toBe(true);
    await writer.abort();
    expect(await readFile(path)).toEqual(before);
    const again = await openArchiveWriter(archiveAt(path), { ...options, overwrite: true });
    await writeWorkspace([], again);
    expect(await read(path)).toEqual([]);
    expect(existsSync(`${path}.partial`)).toBe(false);
  });

  it('writes nothing in a dry run, and counts', async () => {
    const path = join(dir, 'dry.tar');
    const run = await makeRun({}, [['m', [[0, 0, 1]]]], [['f', Buffer.from('12345')]]);
    const { options, losses } = testOptions(dir, { dryRun: true });
    const writer = await openArchiveWriter(archiveAt(path), options);
    await writeWorkspace([{ experiment: makeExperiment(), runs: [run] }], writer);
    expect(losses).toEqual([]);
    expect((await readdir(dir)).filter((name) => name.startsWith('dry'))).toEqual([]);
  });
});
