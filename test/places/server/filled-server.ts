import { createHash } from 'node:crypto';
import { z } from 'zod';
import type { Failure, Loss } from '../../../src/model/findings.ts';
import { listPoints } from '../../../src/model/points.ts';
import type { Experiment, Point, Run } from '../../../src/model/records.ts';
import type { Selection } from '../../../src/model/selection.ts';
import type { Reader, RunReader } from '../../../src/places/place.ts';
import { openServerReader } from '../../../src/places/server/read/reader.ts';
import { serverAt } from '../locations.ts';
import { placeOptions } from './place-options.ts';
import { rest } from './rest.ts';

export const created = z.object({
  run: z.object({ info: z.object({ run_id: z.string(), artifact_uri: z.string() }) }),
});
export const identified = z.object({ experiment_id: z.string() });

export const FILES: ReadonlyArray<[path: string, content: string]> = [
  ['a b+c&d.txt', 'odd'],
  ['a.txt', 'first'],
  ['a/100%.txt', 'percent'],
  ['a/deep/er/x.bin', 'x'.repeat(300_000)],
  ['a/empty', ''],
  ['a/ü日本.txt', 'not ASCII'],
  ['z', 'last'],
];

export async function openReader(
  location: string,
  environment: Record<string, string> = {},
): Promise<{ reader: Reader; losses: Loss[]; failures: Failure[] }> {
  const place = serverAt(location);
  const { options, losses, failures } = await placeOptions(environment);
  return { reader: await openServerReader(place, options), losses, failures };
}

interface ReadRun {
  readonly run: Run;
  readonly points: Readonly<Record<string, Point[]>>;
  readonly files: ReadonlyArray<[path: string, size: number | undefined, sha256: string]>;
}

export const sha256 = (bytes: Uint8Array | string) => createHash('sha256').update(bytes).digest('hex');

/** Everything that a reader gives for a selection. */
export async function readAll(
  reader: Reader,
  selection: Selection,
): Promise<Array<{ experiment: Experiment; runs: ReadRun[] }>> {
  const found: Array<{ experiment: Experiment; runs: ReadRun[] }> = [];
  for await (const experiment of reader.experiments(selection)) {
    const sources: RunReader[] = [];
    for await (const source of reader.runs(experiment, selection)) sources.push(source);
    reader.prefetch?.(sources);
    const runs: ReadRun[] = [];
    for (const source of sources) {
      const points = new Map<string, Point[]>();
      for await (const piece of source.metrics())
        points.set(piece.key, [...(points.get(piece.key) ?? []), ...listPoints(piece.points)]);
      const files: Array<[string, number | undefined, string]> = [];
      for await (const artifact of source.artifacts()) {
        const body = await source.open(artifact);
        files.push([
          artifact.path,
          artifact.size,
          body === undefined ? '' : sha256(Buffer.concat(await body.toArray())),
        ]);
      }
      runs.push({ run: source.run, points: Object.fromEntries(points), files });
    }
    found.push({ experiment, runs });
  }
  await reader.close();
  return found;
}

/** An experiment with a run that has everything, and a deleted one; its requests need no client of ours. */
export async function fill(url: string, name: string, withFiles: boolean) {
  const { call } = rest(url);
  const tags = [{ key: '__proto__', value: 'tag' }];
  const { experiment_id } = identified.parse(await call('experiments/create', { name, tags }));
  const start_time = 1_700_000_000_123;
  const body = {
    experiment_id,
    start_time,
    run_name: 'full',
    user_id: 'somebody',
    tags: [{ key: 'note', value: 'ü\n"' }],
  };
  const { run } = created.parse(await call('runs/create', body));
  const { run_id } = run.info;
  const metrics = [
    { key: 'm/ü x', value: 'NaN', timestamp: 0, step: -3 },
    { key: 'm/ü x', value: -0.5, timestamp: 5, step: 2 },
    { key: 'big', value: 1e300, timestamp: 1_700_000_000_000, step: '9007199254740993' },
    ...Array.from({ length: 900 }, (_, step) => ({
      key: 'loss',
      value: 1 / (step + 1),
      timestamp: start_time + step,
      step,
    })),
  ];
  const params = [
    { key: 'lr', value: '0.1' },
    { key: '__proto__', value: 'param' },
  ];
  await call('runs/log-batch', { run_id, metrics, params, tags: [] });
  const dataset = {
    name: 'd',
    digest: 'abc',
    source_type: 'local',
    source: '{"uri":"x"}',
    schema: '{"a":1}',
  };
  await call('runs/log-inputs', {
    run_id,
    datasets: [{ dataset, tags: [{ key: 'mlflow.data.context', value: 'training' }] }],
  });
  if (withFiles) await putFiles(url, run.info.artifact_uri);
  await call('runs/update', { run_id, status: 'FAILED', end_time: start_time + 1000 });
  const second = created.parse(
    await call('runs/create', { experiment_id, start_time: start_time - 1, run_name: 'gone' }),
  );
  await call('runs/delete', { run_id: second.run.info.run_id });
  return {
    experiment_id,
    run_id,
    artifact_uri: run.info.artifact_uri,
    deleted_id: second.run.info.run_id,
    dataset,
  };
}

async function putFiles(url: string, artifact_uri: string): Promise<void> {
  const root = artifact_uri.replace(/^mlflow-artifacts:\/*/, '');
  for (const [path, content] of FILES) {
    const encoded = `${root}/${path}`.split('/').map(encodeURIComponent).join('/');
    const response = await fetch(`${url}/api/2.0/mlflow-artifacts/artifacts/${encoded}`, {
      method: 'PUT',
      body: content,
    });
    if (!response.ok) throw new Error(`${path}: ${response.status} ${await response.text()}`);
  }
}
