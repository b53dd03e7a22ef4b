import { cp, mkdtemp, readdir, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { partsOf } from '../../src/kinds/parts.ts';
import type { Point } from '../../src/model/records.ts';
import { openWriter } from '../../src/places/open.ts';
import type { RunReader, Writer } from '../../src/places/place.ts';
import type { WriterOptions } from '../../src/places/place-options.ts';
import { MlferryError } from '../../src/util/errors.ts';
import { noise } from '../disk/sources.ts';
import {
  type MemoryRun,
  makeExperiment,
  makeRun,
  memoryRunReader,
  sha256,
  testOptions,
  type Workspace,
} from './memory-workspace.ts';

let dir: string;
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'resume-test-'));
});
afterAll(() => rm(dir, { recursive: true, force: true }));

let count = 0;
const newPath = (suffix: string) => {
  count += 1;
  return join(dir, `a${count}${suffix}`);
};

interface Attempt {
  readonly workspace: Workspace;
  readonly path: string;
  /** Ends before this run is read. */
  readonly stopAt?: number;
  readonly concurrency?: number;
  readonly more?: Partial<WriterOptions>;
  /** Hears of every run that is read. */
  readonly onRead?: (run_id: string) => void;
  readonly spoil?: (reader: RunReader) => RunReader;
}

/** Writes as the engine does: asks first whether a run is there, then hands the others over, in order. */
async function attempt(options: Attempt): Promise<'stopped' | { unchanged: string[]; failed: string[] }> {
  const { workspace, path, stopAt, onRead, more, spoil = (reader) => reader } = options;
  const writer = await openWriter(path, testOptions(dir, more).options);
  const unchanged: string[] = [];
  const failed: string[] = [];
  try {
    const items: Array<{ run: MemoryRun; target: Awaited<ReturnType<Writer['experiment']>> }> = [];
    for (const { experiment, runs } of workspace) {
      const target = await writer.experiment(experiment, experiment.name);
      for (const run of runs) items.push({ run, target });
    }
    const stale = [];
    for (const item of items) {
      const current = await writer.isCurrent(item.run.run, item.target, '');
      if (current === undefined) stale.push(item);
      else unchanged.push(current.run_id);
    }
    const write = async ({ run, target }: (typeof items)[number]) => {
      if (stopAt !== undefined && items.findIndex((each) => each.run === run) >= stopAt) return;
      const reader = spoil(memoryRunReader(run));
      const watched: RunReader = {
        ...reader,
        metrics: () => {
          onRead?.(run.run.run_id);
          return reader.metrics();
        },
      };
      try {
        const written = await writer.run(watched, {
          ...{ experiment: target, origin: 'f/1', digest: 'd' },
          remap: () => run.run,
        });
        if (written.outcome === 'unchanged') unchanged.push(written.run_id);
      } catch (error) {
        if (!(error instanceof MlferryError) || error.code !== 'SOURCE_ITEM') throw error;
        failed.push(run.run.run_id);
      }
    };
    const concurrency = options.concurrency ?? 3;
    for (let i = 0; i < stale.length; i += concurrency)
      await Promise.all(stale.slice(i, i + concurrency).map(write));
    if (stopAt !== undefined) {
      await writer.abort();
      return 'stopped';
    }
    await writer.finish();
    return { unchanged, failed };
  } catch (error) {
    await writer.abort();
    throw error;
  }
}

const points = (n: number, seed: number) =>
  Array.from({ length: n }, (_, i): Point => [i, 1.7e12 + i, Math.sin(seed + i)]);

/** Two experiments of four runs, of which two share an artifact; the points of the long ones fill parts of an archive. */
async function twoExperiments(long = 200): Promise<Workspace> {
  const run = (experiment: number, r: number) =>
    makeRun(
      { run_id: `run-${experiment}-${r}`, experiment_id: `${experiment}`, start_time: r },
      [['loss', points(r === 1 ? long : 3, r)]],
      [
        ['shared.bin', noise(1500, r % 2)],
        ['own.txt', Buffer.alloc(3000, `own ${experiment} ${r} `)],
      ],
    );
  const experiment = async (e: number) => ({
    experiment: makeExperiment({ experiment_id: `${e}`, name: `experiment ${e}`, creation_time: e }),
    runs: await Promise.all([0, 1, 2, 3].map((r) => run(e, r))),
  });
  return [await experiment(1), await experiment(2)];
}

const bytesOf = async (workspace: Workspace, suffix: string, more: Partial<WriterOptions> = {}) => {
  const path = newPath(suffix);
  await attempt({ workspace, path, more });
  return readFile(path);
};

/** The same workspace with one run replaced, or left out. */
const withRun = (workspace: Workspace, run_id: string, change: (run: MemoryRun) => MemoryRun[]): Workspace =>
  workspace.map(({ experiment, runs }) => ({
    experiment,
    runs: runs.flatMap((run) => (run.run.run_id === run_id ? change(run) : [run])),
  }));
const retagged = (run: MemoryRun): MemoryRun => ({ ...run, run: { ...run.run, tags: { note: 'new' } } });

describe.each(['.tar', '.ndjson'])('an unfinished %s', (suffix) => {
  const artifactsDir = () => (suffix === '.ndjson' ? { artifactsDir: join(dir, 'artifacts') } : {});

  it('is gone on with: what it holds is not read again, and the bytes are those of an unbroken run', async () => {
    // Long enough for three parts.
    const workspace = await twoExperiments(60_000);
    const wanted = sha256(await bytesOf(workspace, suffix, artifactsDir()));
    for (const stopAt of [0, 1, 2, 4, 6, 8]) {
      const path = newPath(suffix);
      expect(await attempt({ workspace, path, stopAt, more: artifactsDir() })).toBe('stopped');
      expect((await readdir(dir)).includes(`a${count}${suffix}.partial`)).toBe(stopAt > 0);
      const read: string[] = [];
      const onRead = (run_id: string) => read.push(run_id);
      const result = await attempt({ workspace, path, onRead, more: artifactsDir() });
      const ids = workspace.flatMap(({ runs }) => runs.map(({ run }) => run.run_id));
      expect(result).toEqual({ unchanged: ids.slice(0, stopAt), failed: [] });
      expect(read.sort()).toEqual(ids.slice(stopAt));
      expect(sha256(await readFile(path))).toBe(wanted);
      expect(await readdir(dir)).not.toContain(`a${count}${suffix}.partial`);
    }
  });

  it('keeps a run whose artifact URI holds credentials, which the file does not have', async () => {
    const plain = await twoExperiments();
    const workspace = withRun(plain, 'run-1-2', (run) => [
      { ...run, run: { ...run.run, artifact_uri: 'https://user:secret@host/1/run-1-2/artifacts' } },
    ]);
    const path = newPath(suffix);
    expect(await attempt({ workspace, path, stopAt: 6, more: artifactsDir() })).toBe('stopped');
    const ids = workspace.flatMap(({ runs }) => runs.map(({ run }) => run.run_id));
    expect(ids.slice(0, 6)).toContain('run-1-2');
    expect(await attempt({ workspace, path, more: artifactsDir() })).toEqual({
      unchanged: ids.slice(0, 6),
      failed: [],
    });
    expect((await readFile(path)).includes('secret')).toBe(false);
  });

  it('follows the source where it has changed meanwhile', async () => {
    const before = await twoExperiments();
    const added = await makeRun({ run_id: 'added', start_time: 2 });
    const changes: Record<string, Workspace> = {
      'a run has another tag': withRun(before, 'run-1-2', (run) => [retagged(run)]),
      'the first run has another tag': withRun(before, 'run-1-0', (run) => [retagged(run)]),
      'a run is gone': withRun(before, 'run-1-1', () => []),
      'the last runs are gone': withRun(
        withRun(before, 'run-2-1', () => []),
        'run-2-2',
        () => [],
      ),
      'a run has come': withRun(before, 'run-1-2', (run) => [run, added]),
      'the order is another': before.map(({ experiment, runs }) => ({ experiment, runs: runs.toReversed() })),
      'an experiment has another tag': before.map(({ experiment, runs }) => ({
        experiment: experiment.experiment_id === '2' ? { ...experiment, tags: { a: 'b' } } : experiment,
        runs,
      })),
      'an experiment is gone': before.slice(1),
      'all is gone': [],
    };
    for (const [what, after] of Object.entries(changes)) {
      const path = newPath(suffix);
      await attempt({ workspace: before, path, stopAt: 7, more: artifactsDir() });
      await attempt({ workspace: after, path, more: artifactsDir() });
      const wanted = await bytesOf(after, suffix, artifactsDir());
      expect(sha256(await readFile(path)), what).toBe(sha256(wanted));
    }
  });

  it('is compared point by point where a run still goes on', async () => {
    const start = await twoExperiments();
    const goingOn = (more: Point[]) =>
      withRun(start, 'run-1-1', (run) => [
        {
          ...run,
          run: { ...run.run, status: 'RUNNING', end_time: null },
          metrics: [['loss', [...more, ...points(50, 1)]]],
        },
      ]);
    for (const after of [goingOn([]), goingOn([[-1, 0, 7]])]) {
      const path = newPath(suffix);
      await attempt({ workspace: goingOn([]), path, stopAt: 6, more: artifactsDir() });
      const read: string[] = [];
      await attempt({ workspace: after, path, onRead: (id) => read.push(id), more: artifactsDir() });
      expect(read).toContain('run-1-1');
      const wanted = await bytesOf(after, suffix, artifactsDir());
      expect(sha256(await readFile(path))).toBe(sha256(wanted));
    }
  });

  it('keeps its runs behind one that fails every time', async () => {
    const workspace = await twoExperiments();
    const spoil = (reader: RunReader): RunReader =>
      reader.run.run_id !== 'run-1-1'
        ? reader
        : {
            ...reader,
            // biome-ignore lint/correctness/useYield: it fails before its first point
            async *metrics() {
              throw new MlferryError('SOURCE_ITEM', 'The run is damaged');
            },
          };
    const path = newPath(suffix);
    await attempt({ workspace, path, stopAt: 6, spoil, more: artifactsDir() });
    const result = await attempt({ workspace, path, spoil, more: artifactsDir() });
    expect(result).toMatchObject({ failed: ['run-1-1'] });
    expect(result).toMatchObject({
      unchanged: expect.arrayContaining(['run-1-0', 'run-1-2', 'run-1-3', 'run-2-0', 'run-2-1']),
    });
    const wanted = await bytesOf(
      withRun(workspace, 'run-1-1', () => []),
      suffix,
      artifactsDir(),
    );
    expect(sha256(await readFile(path))).toBe(sha256(wanted));
  });

  it('tells again what was lost in a run that it keeps', async () => {
    const workspace = await twoExperiments();
    const findings = () => {
      const runs: (string | undefined)[] = [];
      return {
        runs,
        loss: ({ run_id }: { run_id?: string }) => runs.push(run_id),
        failure: () => undefined,
        noted: (run_id: string) => runs.filter((id) => id === run_id).length,
      };
    };
    const badName = withRun(workspace, 'run-1-1', (run) => [
      { ...run, artifacts: [['../out', Buffer.from('x')]] },
    ]);
    const path = newPath(suffix);
    await attempt({ workspace: badName, path, stopAt: 6, more: { ...artifactsDir(), findings: findings() } });
    const second = findings();
    await attempt({ workspace: badName, path, more: { ...artifactsDir(), findings: second } });
    expect(second.runs).toEqual(['run-1-1']);
  });

  it('is begun anew by another job', async () => {
    const workspace = await twoExperiments();
    const others: Partial<WriterOptions>[] = [
      { toolVersion: '9.9.9' },
      { parts: partsOf({ artifacts: false }) },
      { selection: { experiments: ['experiment 1'], runs: [], view: 'all' } },
    ];
    for (const other of others) {
      const path = newPath(suffix);
      await attempt({ workspace, path, stopAt: 6, more: artifactsDir() });
      const more = { ...artifactsDir(), ...other };
      expect(await attempt({ workspace, path, more })).toMatchObject({ unchanged: [] });
      expect(sha256(await readFile(path))).toBe(sha256(await bytesOf(workspace, suffix, more)));
    }
  });

  it('is trusted in nothing: whatever became of its files, the result is right', async () => {
    const workspace = await twoExperiments();
    const wanted = sha256(await bytesOf(workspace, suffix, artifactsDir()));
    const model = newPath(suffix);
    await attempt({ workspace, path: model, stopAt: 6, more: artifactsDir() });
    const names = (await readdir(`${model}.partial`)).sort();
    expect(names).toEqual(
      suffix === '.tar' ? ['data', 'journal.ndjson', 'open-part.ndjson'] : ['data', 'journal.ndjson'],
    );
    let kept = 0;
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom(...names),
        fc.double({ min: 0, max: 0.999_999, noNaN: true }),
        fc.constantFrom('bit', 'cut', 'longer', 'gone'),
        async (name, where, damage) => {
          const path = newPath(suffix);
          const file = join(`${path}.partial`, name);
          await cp(`${model}.partial`, `${path}.partial`, { recursive: true });
          const bytes = await readFile(file);
          const at = Math.floor(where * bytes.length);
          if (damage === 'bit') {
            bytes[at] = (bytes[at] ?? 0) ^ (1 << (at % 8));
            await writeFile(file, bytes);
          } else if (damage === 'cut') await truncate(file, at);
          else if (damage === 'longer') await writeFile(file, bytes.subarray(0, at + 1), { flag: 'a' });
          else await rm(file);
          const result = await attempt({ workspace, path, more: artifactsDir() });
          if (result !== 'stopped') kept += result.unchanged.length;
          expect(sha256(await readFile(path))).toBe(wanted);
          await rm(path);
        },
      ),
      { numRuns: process.env.MLFERRY_TEST_LONG === '1' ? 3000 : 80 },
    );
    expect(kept).toBeGreaterThan(80);
  });

  it('is left alone while another process writes it, and when it is something else', async () => {
    const workspace = await twoExperiments();
    const path = newPath(suffix);
    const writer = await openWriter(path, testOptions(dir, artifactsDir()).options);
    await expect(attempt({ workspace, path, more: artifactsDir() })).rejects.toMatchObject({
      code: 'CONFLICT',
      message: expect.stringContaining(`${path} is being worked on by process ${process.pid}`),
    });
    await writer.abort();
    await writeFile(`${path}.partial`, 'mine');
    await expect(attempt({ workspace, path, more: artifactsDir() })).rejects.toMatchObject({
      code: 'CONFLICT',
    });
    expect(await readFile(`${path}.partial`, 'utf8')).toBe('mine');
  });
});

it('a stream without the artifact bytes it had is read again from there', async () => {
  const workspace = await twoExperiments();
  const artifactsDir = join(dir, 'lost-artifacts');
  const path = newPath('.ndjson');
  await attempt({ workspace, path, stopAt: 6, more: { artifactsDir } });
  await rm(artifactsDir, { recursive: true });
  expect(await attempt({ workspace, path, more: { artifactsDir } })).toMatchObject({ unchanged: [] });
  const found = (await readdir(artifactsDir, { recursive: true, withFileTypes: true })).filter((e) =>
    e.isFile(),
  );
  expect(found.length).toBe(10);
});

it.each(['.tar.gz', '.tar.zst', '.ndjson.gz'])(
  'an unfinished %s leaves nothing, and begins anew',
  async (suffix) => {
    const workspace = await twoExperiments();
    const path = newPath(suffix);
    await attempt({ workspace, path, stopAt: 6 });
    expect((await readdir(dir)).filter((name) => name.startsWith(`a${count}.`))).toEqual([]);
    expect(await attempt({ workspace, path })).toMatchObject({ unchanged: [] });
    expect(sha256(await readFile(path))).toBe(sha256(await bytesOf(workspace, suffix)));
  },
);
