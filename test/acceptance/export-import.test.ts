import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { differences } from '../servers/compare-snapshots.ts';
import { exportImport, installExportImport } from '../servers/export-import.ts';
import { takeSnapshot } from '../servers/mlflow-client.ts';
import { sharedServer } from '../servers/shared-server.ts';
import type { RunSnapshot, Snapshot } from '../servers/snapshot.ts';
import { copyReport, runMlferry } from './run-mlferry.ts';

const fixture = (name: string) =>
  fileURLToPath(new URL(`../fixtures/export-import/${name}`, import.meta.url));

const source = sharedServer({ version: '2.9.2' });
/** Where mlflow-export-import puts what it exported. */
const theirs = sharedServer({ version: '2.9.2', artifacts: 'plain' });
const target = sharedServer();

let directory: string;
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'mlferry-export-import-'));
});
afterAll(() => rm(directory, { recursive: true, force: true }));

/** Copies, verifies and copies again, which changes nothing; the report of the first copy. */
async function restore(from: string, to: string) {
  const report = await copyReport(['copy', from, to, '--view', 'all']);
  const verified = await runMlferry(['verify', from, to, '--view', 'all', '--json']);
  expect(JSON.parse(verified.stdout)).toMatchObject({ items: [] });
  const again = await copyReport(['copy', from, to, '--view', 'all']);
  expect(again).toMatchObject({
    runs: { created: 0, updated: 0, unchanged: report.runs.created },
    sent: { points: 0, artifacts: 0 },
  });
  for (const counts of Object.values(again.objects ?? {}))
    expect(counts).toMatchObject({ created: 0, updated: 0, failed: 0 });
  return report;
}

describe('an export that mlflow-export-import makes of a server', () => {
  it('arrives on another server as it was, and with all that its own import brings', async () => {
    await installExportImport();
    const server = await source();
    await copyReport(['copy', 'samples/mlruns', server.url]);
    const place = join(directory, 'export');
    await exportImport(server, 'bulk.export_all', ['--output-dir', place]);
    await exportImport(await theirs(), 'bulk.import_experiments', [
      '--input-dir',
      join(place, 'experiments'),
    ]);

    const { url, version } = await target();
    const report = await restore(place, url);
    expect(report).toMatchObject({ failures: [], exit_status: 0 });

    const before = await takeSnapshot(server);
    const ours = await takeSnapshot({ url, version });
    // Nobody exported dataset inputs before October 2023.
    const exported: Snapshot = { ...before, runs: before.runs.map((run) => ({ ...run, inputs: [] })) };
    expect(exported.runs.length).toBeGreaterThan(9);
    expect(differences(exported, ours)).toEqual([]);

    const imported = await takeSnapshot(await theirs());
    expect(imported.runs.length).toBeGreaterThan(9);
    const missing = imported.runs.flatMap((run) => {
      const own = ours.runs.find((each) => each.run_name === run.run_name);
      return own === undefined ? [`run ${run.run_name}`] : lacks(own, run);
    });
    expect(missing).toEqual([]);
    // It sets the times anew.
    const times = new Map(before.runs.map((run) => [run.run_name, run.start_time]));
    expect(imported.runs.filter((run) => run.start_time === times.get(run.run_name))).toEqual([]);
  });
});

/** What of a run that mlflow-export-import imported mlferry's copy of the same has not. */
function lacks(own: RunSnapshot, imported: RunSnapshot): string[] {
  const inBoth = (['params', 'tags', 'latest'] as const).flatMap((field) =>
    Object.entries(imported[field])
      // It puts its own user there, and the ids of its own copies.
      .filter(([key]) => !['mlflow.user', 'mlflow.parentRunId', 'mlflow.rootRunId'].includes(key))
      .filter(([key, value]) => own[field][key] !== value && !/[0-9a-f]{32}/.test(value))
      .map(([key, value]) => `${own.run_name} ${field} ${key}: ${value}`),
  );
  const points = Object.entries(imported.history).flatMap(([key, all]) =>
    all
      .filter((point) => !own.history[key]?.includes(point))
      .map((point) => `${own.run_name} ${key} ${point}`),
  );
  const files = Object.entries(imported.artifacts).filter(
    ([path, { sha256 }]) => own.artifacts[path]?.sha256 !== sha256 && !path.endsWith('MLmodel'),
  );
  return [...inBoth, ...points, ...files.map(([path]) => `${own.run_name} file ${path}`)];
}

describe('exports of all generations', () => {
  it.each([
    ['2022-12-04/all', { runs: 4, registered_models: 2, model_versions: 10 }],
    ['2026-01/traces', { runs: 0, traces: 1 }],
  ])('arrive on the newest MLflow: %s', async (name, { runs, ...counts }) => {
    const { url } = await target();
    const report = await restore(fixture(name), url);
    expect(report).toMatchObject({ failures: [], runs: { read: runs }, exit_status: 0 });
    for (const [kind, count] of Object.entries(counts)) expect(report.objects?.[kind]?.read).toBe(count);
  });

  it('with models, prompts, traces and datasets of MLflow 3; spans that the export lacks are told', async () => {
    const { url } = await target();
    const report = await restore(fixture('2026-01/all'), url);
    expect(report).toMatchObject({
      failures: [],
      runs: { created: 9 },
      objects: {
        logged_models: { created: 2 },
        registered_models: { created: 3 },
        model_versions: { created: 24 },
        traces: { created: 2 },
        evaluation_datasets: { created: 1 },
        evaluation_dataset_records: { created: 1 },
      },
      loss_counts: { TRACE_SPANS: 3, NOT_EXPORTED: 1 },
      exit_status: 3,
    });
    const trace = await fetch(`${url}/api/3.0/mlflow/traces/tr-ea73ea83785be5ad0dc21c3a20fdad0d`);
    expect(await trace.json()).toMatchObject({
      trace: {
        trace_info: {
          state: 'OK',
          assessments: [{ assessment_name: 'good' }, { assessment_name: 'exp' }],
        },
      },
    });
    const answer = await fetch(`${url}/api/2.0/mlflow/registered-models/get?name=rm1`);
    expect(await answer.json()).toMatchObject({
      registered_model: { aliases: [{ alias: 'champion', version: '10' }] },
    });
  });
});
