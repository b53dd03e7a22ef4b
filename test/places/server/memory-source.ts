import { createHash } from 'node:crypto';
import { Readable } from 'node:stream';
import { runDigest } from '../../../src/model/canonical.ts';
import type { Failure, Loss } from '../../../src/model/findings.ts';
import { pointsOf } from '../../../src/model/points.ts';
import type { Experiment, Point, Run } from '../../../src/model/records.ts';
import type { RunReader, RunTarget, TargetExperiment } from '../../../src/places/place.ts';
import type { WriterOptions } from '../../../src/places/place-options.ts';
import { RECORD_TRAITS } from '../../../src/places/record-files/traits.ts';

/** A run held in memory: a source for writers. */
export interface MemoryRun {
  readonly run?: Partial<Run>;
  /** Key → points. */
  readonly metrics?: ReadonlyArray<readonly [key: string, points: readonly Point[]]>;
  /** Path → content; undefined: known, but not carried. */
  readonly artifacts?: ReadonlyArray<readonly [path: string, content: string | Uint8Array | undefined]>;
  /** Entries tell no sizes. */
  readonly sizes?: boolean;
}

export function memoryRun({ run, metrics = [], artifacts = [], sizes = true }: MemoryRun): RunReader {
  const latest = (points: readonly Point[]) => points.reduce((a, b) => (b[0] >= a[0] ? b : a));
  const record: Run = {
    kind: 'run',
    run_id: 'source-1',
    experiment_id: '7',
    run_name: 'a run',
    user_id: 'somebody',
    status: 'FINISHED',
    start_time: 1_700_000_000_000,
    end_time: 1_700_000_100_000,
    lifecycle_stage: 'active',
    artifact_uri: 'mlflow-artifacts:/7/source-1/artifacts',
    params: {},
    tags: {},
    dataset_inputs: [],
    latest_metrics: Object.fromEntries(metrics.map(([key, points]) => [key, latest(points)])),
    ...run,
  };
  const bytes = (content: string | Uint8Array) => Buffer.from(content);
  return {
    run: record,
    async *metrics() {
      for (const [key, points] of metrics) {
        for (let at = 0; at < points.length; at += 1000)
          yield { key, points: pointsOf(points.slice(at, at + 1000)) };
      }
    },
    async *artifacts() {
      for (const [path, content] of artifacts) {
        if (content === undefined) yield { path, size: 5 };
        else {
          const sha256 = createHash('sha256').update(bytes(content)).digest('hex');
          yield sizes ? { path, size: bytes(content).length, sha256 } : { path };
        }
      }
    },
    async open({ path }) {
      const content = artifacts.find(([name]) => name === path)?.[1];
      return content === undefined ? undefined : Readable.from([bytes(content)]);
    },
  };
}

/** What the engine would hand a writer for this run. */
export function targetOf(
  source: RunReader,
  experiment: TargetExperiment,
  tags: Run['tags'] = source.run.tags,
): RunTarget {
  return {
    experiment,
    origin: `fingerprint/${source.run.run_id}`,
    digest: runDigest(source.run),
    remap: (own) => ({ ...source.run, ...own, experiment_id: experiment.experiment_id, tags }),
  };
}

export function memoryExperiment(experiment: Partial<Experiment>): Experiment {
  return {
    kind: 'experiment',
    experiment_id: '7',
    name: 'an experiment',
    artifact_location: 'mlflow-artifacts:/7',
    lifecycle_stage: 'active',
    tags: {},
    ...experiment,
  };
}

/** Findings kept in lists. */
export function listFindings() {
  const losses: Loss[] = [];
  const failures: Failure[] = [];
  return {
    losses,
    failures,
    loss: (loss: Loss) => void losses.push(loss),
    failure: (failure: Failure) => void failures.push(failure),
  };
}

export function writerOptions(
  tempDir: string,
  more: Partial<WriterOptions> = {},
): WriterOptions & { findings: ReturnType<typeof listFindings> } {
  return {
    side: 'to',
    signal: new AbortController().signal,
    concurrency: 8,
    environment: {},
    tempDir,
    dryRun: false,
    source: { kind: 'archive', location: 'memory', fingerprint: 'fingerprint' },
    sourceTraits: RECORD_TRAITS,
    selection: { experiments: [], runs: [], view: 'active' },
    toolVersion: '0',
    ...more,
    findings: listFindings(),
  };
}
