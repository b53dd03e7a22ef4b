import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import type { Run } from '../../../src/model/records.ts';
import { ALL_ACTIVE } from '../../../src/model/selection.ts';
import { openReader } from '../../../src/places/open.ts';
import { runPython } from '../../servers/run-python.ts';
import { collect, type MemoryRun, readerOptions, readWorkspace } from '../memory-workspace.ts';

/** MLflow 1.12, 1.16, 1.29, 2.4, 2.18. */
const REVISIONS = ['a8c4a736bde6', 'c48cb773bb87', '97727af70f4d', '7f2a7d5fae7d', '0584bdc529eb'];

const map = z.record(z.string(), z.unknown());
const views = z.record(
  z.string(),
  z.object({ tags: map, runs: z.record(z.string(), map), versions: z.array(z.array(z.string())) }),
);

/** A run as test/python/older_databases.py shows it. */
function view({ run, metrics }: MemoryRun) {
  const latest = ([key, [, , value]]: [string, Run['latest_metrics'][string]]) => [key, value];
  return {
    ...{ name: run.run_name, status: run.status, stage: run.lifecycle_stage, user: run.user_id },
    ...{ start: run.start_time, end: run.end_time, params: run.params, tags: run.tags },
    latest: Object.fromEntries(Object.entries(run.latest_metrics).map(latest)),
    inputs: run.dataset_inputs.map(({ dataset, tags }) => [dataset.name, tags]),
    points: metrics.flatMap(([key, points]) =>
      points.map(([step, timestamp, value]) => [key, String(step), timestamp, value]),
    ),
  };
}

describe('a database of an older MLflow', () => {
  let directory: string;
  let seen: z.infer<typeof views>;
  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'mlferry-older-'));
    const script = new URL('../../python/older_databases.py', import.meta.url);
    seen = views.parse(JSON.parse(await runPython('3.17.2', script, [directory, ...REVISIONS])));
  }, 300_000);
  afterAll(() => rm(directory, { recursive: true, force: true }));

  it.each(REVISIONS)(
    'at %s says what MLflow says after its upgrade, and stays as it is',
    async (revision) => {
      const path = join(directory, `${revision}.db`);
      const before = await readFile(path);
      const { options, failures } = readerOptions(directory);
      const reader = await openReader(path, options);
      const scope = { isChosen: () => true, isHeld: () => true };
      const selection = { ...ALL_ACTIVE, view: 'all' } as const;
      const experiments = await collect(reader.experiments(selection));
      const versions = await collect(
        reader.objects?.get('model_version')?.read({ ...scope, selection, experiments }) ?? [],
      );
      const workspace = await readWorkspace(reader);
      expect(failures).toEqual([]);
      const old = workspace.find(({ experiment }) => experiment.experiment_id === '7');
      expect(old?.experiment).toMatchObject({ name: 'old ünï', artifact_location: './mlruns/7' });
      const runs = old?.runs.map((each): [string, unknown] => [each.run.run_id, view(each)]) ?? [];
      expect({
        tags: old?.experiment.tags,
        runs: Object.fromEntries(runs),
        versions: versions.map(({ record }) => [
          record.name,
          record.version,
          record.current_stage,
          record.run_id,
        ]),
      }).toEqual(seen[revision]);
      expect((await readFile(path)).equals(before)).toBe(true);
    },
  );
});
