import { existsSync } from 'node:fs';
import { mkdtemp, readdir, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough, Readable, Writable } from 'node:stream';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ALL_ACTIVE } from '../../../src/model/selection.ts';
import { openArchiveReader } from '../../../src/places/archive/reader.ts';
import { openArchiveWriter } from '../../../src/places/archive/writer.ts';
import type { WriterOptions } from '../../../src/places/place-options.ts';
import { openStreamReader } from '../../../src/places/stream/reader.ts';
import { openStreamWriter } from '../../../src/places/stream/writer.ts';
import { anyWorkspace } from '../arbitraries.ts';
import { streamAt } from '../locations.ts';
import {
  collect,
  collectingPipe,
  makeExperiment,
  makeRun,
  readerOptions,
  readWorkspace,
  sha256,
  testOptions,
  type Workspace,
  writeWorkspace,
} from '../memory-workspace.ts';
import { workspaceText } from '../workspace-text.ts';

let dir: string;
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'stream-test-'));
});
afterAll(() => rm(dir, { recursive: true, force: true }));

let count = 0;
async function write(
  workspace: Workspace,
  suffix = '.ndjson',
  more: Partial<WriterOptions> = {},
  concurrency = 4,
) {
  count += 1;
  const path = join(dir, `s${count}${suffix}`);
  const { options, losses } = testOptions(dir, more);
  await writeWorkspace(workspace, await openStreamWriter(streamAt(path), options), concurrency);
  return { path, losses };
}
const read = async (path: string, more: Partial<WriterOptions> = {}) =>
  readWorkspace(await openStreamReader(streamAt(path), readerOptions(dir, more).options));

const inPieces = (bytes: Buffer, size: number) =>
  Readable.from(
    (function* () {
      for (let i = 0; i < bytes.length; i += size) yield bytes.subarray(i, i + size);
    })(),
    { objectMode: false, highWaterMark: 1 },
  );

describe('stream', () => {
  it('gives back any workspace, whatever is in it', async () => {
    const artifactsDir = join(dir, 'blobs-any');
    await fc.assert(
      fc.asyncProperty(anyWorkspace, async (make) => {
        const workspace = await make();
        const { path, losses } = await write(workspace, '.ndjson', { artifactsDir });
        expect(losses).toEqual([]);
        expect(workspaceText(await read(path, { artifactsDir }))).toEqual(workspaceText(workspace));
      }),
      { numRuns: 60 },
    );
  });

  it('gives the same through a pipe in pieces of any size, 4-byte characters cut anywhere', async () => {
    await fc.assert(
      fc.asyncProperty(anyWorkspace, fc.constantFrom(1, 2, 3, 7, 1000), async (make, size) => {
        const workspace = (await make()).map(({ experiment, runs }) => ({
          experiment: { ...experiment, name: `🦙${experiment.name}` },
          runs: runs.map((run) => ({ ...run, artifacts: [] })),
        }));
        const { pipe, bytes } = collectingPipe();
        const { options } = testOptions(dir, { stdout: pipe });
        await writeWorkspace(workspace, await openStreamWriter(streamAt('-'), options));
        const { options: from } = readerOptions(dir, { stdin: inPieces(bytes(), size) });
        const back = await readWorkspace(await openStreamReader(streamAt('-'), from));
        expect(workspaceText(back)).toEqual(workspaceText(workspace));
      }),
      { numRuns: 25 },
    );
  });

  it('is the same from an archive as from the source', async () => {
    await fc.assert(
      fc.asyncProperty(anyWorkspace, async (make) => {
        const workspace = await make();
        const archive = { path: join(dir, `x${count++}.tar`), compression: 'none' } as const;
        await writeWorkspace(workspace, await openArchiveWriter(archive, testOptions(dir).options));
        const again = await readWorkspace(await openArchiveReader(archive, readerOptions(dir).options));
        const artifactsDir = join(dir, 'blobs-twice');
        const [direct, via] = [
          await write(workspace, '.ndjson', { artifactsDir }),
          await write(again, '.ndjson', { artifactsDir }),
        ];
        expect(await readFile(via.path)).toEqual(await readFile(direct.path));
      }),
      { numRuns: 30 },
    );
  });

  it.each(['.ndjson', '.ndjson.gz', '.ndjson.zst'])(
    'has the same bytes each time, at any concurrency: %s',
    async (suffix) => {
      const points = Array.from({ length: 30_000 }, (_, i): [number, number, number] => [i, i, i / 3]);
      const runs = [1, 2, 3, 4, 5].map((r) => makeRun({ run_id: `${r}`, start_time: r }, [['m', points]]));
      const workspace = [{ experiment: makeExperiment(), runs: await Promise.all(runs) }];
      const hashes = new Set<string>();
      for (const concurrency of [1, 5]) {
        const { path } = await write(workspace, suffix, {}, concurrency);
        hashes.add(sha256(await readFile(path)));
        expect(workspaceText(await read(path))).toEqual(workspaceText(workspace));
      }
      expect(hashes.size).toBe(1);
    },
  );

  it('tells the compression of a pipe by its first bytes', async () => {
    const workspace = [{ experiment: makeExperiment(), runs: [await makeRun()] }];
    for (const suffix of ['.ndjson.gz', '.ndjson.zst']) {
      const { path } = await write(workspace, suffix);
      const { options } = readerOptions(dir, { stdin: inPieces(await readFile(path), 1) });
      expect(workspaceText(await readWorkspace(await openStreamReader(streamAt('-'), options)))).toEqual(
        workspaceText(workspace),
      );
    }
  });

  it('names artifacts without carrying them, and says so once', async () => {
    const run = await makeRun(
      {},
      [],
      [
        ['a', Buffer.from('12345')],
        ['b', Buffer.from('678')],
      ],
    );
    const { path, losses } = await write([{ experiment: makeExperiment(), runs: [run] }]);
    expect(losses).toMatchObject([
      { code: 'ARTIFACTS_NOT_CARRIED', count: 2, detail: expect.stringContaining('8 bytes') },
    ]);
    const reader = await openStreamReader(streamAt(path), readerOptions(dir).options);
    const [experiment = makeExperiment()] = await collect(reader.experiments(ALL_ACTIVE));
    const [back] = await collect(reader.runs(experiment, ALL_ACTIVE));
    const entries = await collect(back?.artifacts() ?? []);
    expect(entries).toEqual([
      { path: 'a', size: 5 },
      { path: 'b', size: 3 },
    ]);
    expect(await back?.open({ path: 'a', size: 5 })).toBeUndefined();
    await reader.close();
  });

  it('leaves out a file whose path could reach out of its run, and says so', async () => {
    const run = await makeRun(
      {},
      [],
      [
        ['../evil', Buffer.from('1')],
        ['good', Buffer.from('2')],
      ],
    );
    const artifactsDir = join(dir, 'blobs-evil');
    const { path, losses } = await write([{ experiment: makeExperiment(), runs: [run] }], '.ndjson', {
      artifactsDir,
    });
    expect(losses).toMatchObject([{ code: 'ARTIFACT_NAME', key: '../evil' }]);
    const back = await read(path, { artifactsDir });
    expect(back[0]?.runs[0]?.artifacts.map(([each]) => each)).toEqual(['good']);
  });

  it('notices bytes in the artifacts directory that are gone, short or changed', async () => {
    const artifactsDir = join(dir, 'blobs-damaged');
    const bytes = Buffer.from('the bytes');
    const run = await makeRun({}, [], [['a', bytes]]);
    const { path } = await write([{ experiment: makeExperiment(), runs: [run] }], '.ndjson', {
      artifactsDir,
    });
    const hash = sha256(bytes);
    const blob = join(artifactsDir, 'sha256', hash.slice(0, 2), hash.slice(2));
    await writeFile(blob, 'the bytez');
    await expect(read(path, { artifactsDir })).rejects.toMatchObject({
      code: 'SOURCE_ITEM',
      message: expect.stringContaining('sha256'),
    });
    await truncate(blob, 4);
    await expect(read(path, { artifactsDir })).rejects.toMatchObject({ code: 'SHORT_BODY' });
    await rm(blob);
    await expect(read(path, { artifactsDir })).rejects.toMatchObject({ code: 'SOURCE_ITEM' });
    expect((await readdir(artifactsDir)).filter((name) => name.endsWith('.partial'))).toEqual([]);
  });

  it('waits for a slow reader of the pipe, and ends cleanly when that goes away', async () => {
    const points = Array.from({ length: 50_000 }, (_, i): [number, number, number] => [i, i, i / 3]);
    const workspace = [{ experiment: makeExperiment(), runs: [await makeRun({}, [['m', points]])] }];
    const slow = new PassThrough({ highWaterMark: 1000 });
    const received: Buffer[] = [];
    const reading = (async () => {
      for await (const chunk of slow) {
        received.push(chunk);
        await new Promise((resolve) => setImmediate(resolve));
      }
    })();
    await writeWorkspace(
      workspace,
      await openStreamWriter(streamAt('-'), testOptions(dir, { stdout: slow }).options),
    );
    slow.end();
    await reading;
    const { options } = readerOptions(dir, { stdin: Readable.from(received, { objectMode: false }) });
    expect(workspaceText(await readWorkspace(await openStreamReader(streamAt('-'), options)))).toEqual(
      workspaceText(workspace),
    );

    const gone = new Writable({
      write: (_chunk, _encoding, done) => done(Object.assign(new Error('write EPIPE'), { code: 'EPIPE' })),
    });
    const write = async () =>
      writeWorkspace(
        workspace,
        await openStreamWriter(streamAt('-'), testOptions(dir, { stdout: gone }).options),
      );
    await expect(write()).rejects.toMatchObject({ code: 'UNAVAILABLE' });
  });

  it('has its name only when it is whole', async () => {
    const path = join(dir, 'unfinished.ndjson');
    const writer = await openStreamWriter(streamAt(path), testOptions(dir).options);
    expect([existsSync(path), existsSync(`${path}.partial`)]).toEqual([false, true]);
    await writer.abort();
    expect([existsSync(path), existsSync(`${path}.partial`)]).toEqual([false, false]);
    await writeFile(path, 'mine');
    await expect(openStreamWriter(streamAt(path), testOptions(dir).options)).rejects.toMatchObject({
      code: 'CONFLICT',
    });
    expect(await readFile(path, 'utf8')).toBe('mine');
    await expect(
      openStreamWriter(streamAt(join(dir, 'nowhere', 'x.ndjson')), testOptions(dir).options),
    ).rejects.toMatchObject({ code: 'LOCATION' });
  });

  it('selects experiments and runs, counts what the view hides, and reports what it does not have', async () => {
    const workspace: Workspace = [
      {
        experiment: makeExperiment({ experiment_id: '1', name: '/a/one', creation_time: 1 }),
        runs: [
          await makeRun({ run_id: 'r1', start_time: 2 }),
          await makeRun({ run_id: 'r2', start_time: 1, lifecycle_stage: 'deleted' }),
        ],
      },
      {
        experiment: makeExperiment({
          experiment_id: '2',
          name: '/b/two',
          creation_time: 2,
          lifecycle_stage: 'deleted',
        }),
        runs: [],
      },
    ];
    const { path } = await write(workspace);
    const { options, failures } = readerOptions(dir);
    const reader = await openStreamReader(streamAt(path), options);
    const names = async (selection: Partial<typeof ALL_ACTIVE>) =>
      (await collect(reader.experiments({ ...ALL_ACTIVE, ...selection }))).map(({ name }) => name);
    expect(await names({})).toEqual(['/a/one']);
    expect(await names({ view: 'all' })).toEqual(['/a/one', '/b/two']);
    expect(await names({ experiments: ['/a/*'] })).toEqual(['/a/one']);
    expect(await names({ experiments: ['1'] })).toEqual(['/a/one']);
    expect(await names({ runs: ['r1'] })).toEqual(['/a/one']);
    expect(failures).toEqual([]);
    expect(await names({ experiments: ['/c/*', '/b/two'], runs: ['r2', 'r9'] })).toEqual([]);
    expect(failures.map(({ code, object }) => [code, object])).toEqual([
      ['NOT_FOUND', 'experiment "/c/*"'],
      ['NOT_FOUND', 'experiment "/b/two"'],
      ['NOT_FOUND', 'run "r2"'],
      ['NOT_FOUND', 'run "r9"'],
    ]);
    const one = workspace[0]?.experiment ?? makeExperiment();
    expect(await reader.hiddenRuns?.(one, ALL_ACTIVE)).toBe(1);
    const all = await collect(reader.runs(one, { ...ALL_ACTIVE, view: 'all' }));
    expect(all.map(({ run }) => run.run_id)).toEqual(['r2', 'r1']);
    await reader.close();
  });
});
