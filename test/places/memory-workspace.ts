import { createHash } from 'node:crypto';
import { Readable, Writable } from 'node:stream';
import { runDigest } from '../../src/model/canonical.ts';
import type { Failure, Loss } from '../../src/model/findings.ts';
import { latestPoints } from '../../src/model/mlflow/latest-points.ts';
import { listPoints, pointsOf } from '../../src/model/points.ts';
import type { Experiment, Point, Run } from '../../src/model/records.ts';
import { ALL_ACTIVE, type Selection } from '../../src/model/selection.ts';
import type { Reader, RunReader, Writer } from '../../src/places/place.ts';
import type { PlaceOptions, WriterOptions } from '../../src/places/place-options.ts';
import { SERVER_TRAITS } from '../../src/places/server/traits.ts';
import { mapConcurrent } from '../../src/util/map-concurrent.ts';

/** A run with everything in memory. */
export interface MemoryRun {
  readonly run: Run;
  readonly metrics: ReadonlyArray<readonly [key: string, points: readonly Point[]]>;
  readonly artifacts: ReadonlyArray<readonly [path: string, bytes: Buffer]>;
}

/** Experiments in the order of their creation, runs in the order (start_time, run_id). */
export type Workspace = ReadonlyArray<{
  readonly experiment: Experiment;
  readonly runs: readonly MemoryRun[];
}>;

/** A complete experiment from what matters to a test. */
export const makeExperiment = (fields: Partial<Experiment> = {}): Experiment => ({
  kind: 'experiment',
  experiment_id: '1',
  name: 'an experiment',
  artifact_location: 'mlflow-artifacts:/1',
  lifecycle_stage: 'active',
  creation_time: 1_700_000_000_000,
  last_update_time: 1_700_000_000_000,
  tags: {},
  ...fields,
});

/** A complete run from what matters to a test; `latest_metrics` follows from the points. */
export async function makeRun(
  fields: Partial<Run> = {},
  metrics: MemoryRun['metrics'] = [],
  artifacts: MemoryRun['artifacts'] = [],
): Promise<MemoryRun> {
  const run: Run = {
    kind: 'run',
    run_id: '0'.repeat(32),
    experiment_id: '1',
    run_name: 'a run',
    user_id: 'someone',
    status: 'FINISHED',
    start_time: 1_700_000_000_000,
    end_time: 1_700_000_001_000,
    lifecycle_stage: 'active',
    artifact_uri: 'mlflow-artifacts:/1/run/artifacts',
    params: {},
    tags: {},
    dataset_inputs: [],
    latest_metrics: await latestPoints(readable(metrics)),
    ...fields,
  };
  return { run, metrics, artifacts };
}

async function* readable(metrics: MemoryRun['metrics']) {
  for (const [key, points] of metrics) yield { key, points: pointsOf(points) };
}

/** A {@link RunReader} of a run in memory. */
export function memoryRunReader({ run, metrics, artifacts }: MemoryRun): RunReader {
  return {
    run,
    metrics: async function* () {
      for (const [key, points] of metrics) {
        for (let i = 0; i < points.length; i += 1000)
          yield { key, points: pointsOf(points.slice(i, i + 1000)) };
      }
    },
    artifacts: async function* () {
      for (const [path, bytes] of artifacts) yield { path, size: bytes.length };
    },
    open: async ({ path }) => {
      const bytes = artifacts.find(([each]) => each === path)?.[1] ?? Buffer.alloc(0);
      const pieces = [];
      for (let i = 0; i < bytes.length; i += 10_000) pieces.push(bytes.subarray(i, i + 10_000));
      return Readable.from(pieces, { objectMode: false });
    },
  };
}

/** What places of a test are opened with, and what they found. */
export function testOptions(tempDir: string, more: Partial<WriterOptions> = {}) {
  const losses: Loss[] = [];
  const failures: Failure[] = [];
  const options: WriterOptions = {
    side: 'to',
    findings: { loss: (loss) => losses.push(loss), failure: (failure) => failures.push(failure) },
    signal: new AbortController().signal,
    concurrency: 8,
    environment: {},
    tempDir,
    dryRun: false,
    source: {
      kind: 'server',
      location: 'http://127.0.0.1:5000',
      fingerprint: 'f'.repeat(16),
      server_version: '3.6.0',
    },
    sourceTraits: SERVER_TRAITS,
    selection: ALL_ACTIVE,
    toolVersion: '0.1.0',
    ...more,
  };
  return { options, losses, failures };
}

/** Writes runs as the engine does: experiments as they come, runs started in order, several at once. */
export async function writeRuns(workspace: Workspace, writer: Writer, concurrency: number): Promise<void> {
  const items = async function* () {
    for (const { experiment, runs } of workspace) {
      const target = await writer.experiment(experiment, experiment.name);
      for (const run of runs) yield { target, run };
    }
  };
  await mapConcurrent(items(), concurrency, async ({ target, run }) => {
    const digest = runDigest(run.run);
    await writer.run(memoryRunReader(run), {
      experiment: target,
      origin: 'f/1',
      digest,
      remap: () => run.run,
    });
  });
}

/** Writes a workspace and finishes. */
export async function writeWorkspace(workspace: Workspace, writer: Writer, concurrency = 4): Promise<void> {
  await writeRuns(workspace, writer, concurrency);
  await writer.finish();
}

/** Everything a reader gives, in memory again; closes it. */
export async function readWorkspace(
  reader: Reader,
  selection: Selection = { ...ALL_ACTIVE, view: 'all' },
): Promise<Workspace> {
  const workspace = [];
  try {
    for await (const experiment of reader.experiments(selection)) {
      const runs: MemoryRun[] = [];
      for await (const run of reader.runs(experiment, selection)) runs.push(await readRun(run));
      workspace.push({ experiment, runs });
    }
  } finally {
    await reader.close();
  }
  return workspace;
}

async function readRun(source: RunReader): Promise<MemoryRun> {
  const metrics = new Map<string, Point[]>();
  for await (const { key, points } of source.metrics())
    metrics.set(key, [...(metrics.get(key) ?? []), ...listPoints(points)]);
  const artifacts: [string, Buffer][] = [];
  for await (const entry of source.artifacts()) {
    const body = await source.open(entry);
    if (body === undefined) continue;
    const chunks: Buffer[] = [];
    for await (const chunk of body) chunks.push(chunk);
    artifacts.push([entry.path, Buffer.concat(chunks)]);
  }
  return { run: source.run, metrics: [...metrics], artifacts };
}

/** The options of the reading side. */
export const readerOptions = (tempDir: string, more: Partial<PlaceOptions> = {}) => {
  const made = testOptions(tempDir, more);
  return { ...made, options: { ...made.options, side: 'from' as const } };
};

/** Hex sha256. */
export const sha256 = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex');

/** A pipe that keeps what is written to it. */
export function collectingPipe(): { pipe: Writable; bytes: () => Buffer } {
  const chunks: Buffer[] = [];
  const pipe = new Writable({
    write: (chunk, _encoding, done) => {
      chunks.push(Buffer.from(chunk));
      done();
    },
  });
  return { pipe, bytes: () => Buffer.concat(chunks) };
}

/** All items of an async iterable. */
export async function collect<T>(items: AsyncIterable<T> | Iterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const item of items) all.push(item);
  return all;
}
