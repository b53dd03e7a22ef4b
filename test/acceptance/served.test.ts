import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { type Served, servePlace } from '../serve/serve-place.ts';
import {
  logModels,
  logTraces,
  makeEvaluation,
  makeWorkspace,
  registerModels,
  takeSnapshot,
  viewEvaluation,
  viewModels,
  viewRegistry,
  viewTraces,
} from '../servers/mlflow-client.ts';
import type { Snapshot } from '../servers/snapshot.ts';
import { startServer, type TestServer } from '../servers/start-server.ts';
import { copyReport, runMlferry } from './run-mlferry.ts';

/** MLflow's own clients at a place that mlferry serves see what they see at the server that it was taken from. */
describe('a served place', () => {
  let directory: string;
  let source: TestServer;
  let backup: string;
  let served: Served;
  let theirs: Snapshot;
  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'mlferry-served-'));
    backup = join(directory, 'backup.tar');
    source = await startServer();
    await makeWorkspace(source, 'small');
    await logModels(source);
    await registerModels(source);
    await logTraces(source);
    await makeEvaluation(source);
    theirs = await takeSnapshot(source);
    await copyReport(['backup', source.url, backup, '--view', 'all']);
    served = await servePlace(backup, { tempDir: directory });
  }, 300_000);
  afterAll(async () => {
    await served?.[Symbol.asyncDispose]();
    await source?.stop();
    await rm(directory, { recursive: true, force: true });
  });

  /** But for where files are, and the order of inputs, which an archive does not keep. */
  const shown = ({ experiments, runs }: Snapshot) => ({
    experiments,
    runs: runs.map((run) => ({
      ...run,
      artifact_uri: '',
      inputs: run.inputs.toSorted((a, b) => (a.digest < b.digest ? -1 : 1)),
    })),
  });

  /** What the search of MLflow says of all runs of active experiments, by id. */
  async function runsOf(url: string) {
    const ids = theirs.experiments.map(({ experiment_id }) => experiment_id);
    const answer = await fetch(`${url}/api/2.0/mlflow/runs/search`, {
      method: 'POST',
      body: JSON.stringify({ experiment_ids: ids, run_view_type: 'ALL', max_results: 1000 }),
    });
    const { runs } = z
      .object({ runs: z.array(z.object({ info: z.looseObject({ run_id: z.string() }) })) })
      .parse(await answer.json());
    return runs.map(({ info }) => [info.run_id, info.status, info.start_time, info.lifecycle_stage]);
  }

  it.each(['3.17.2', '2.22.5'] as const)(
    'is what the server is, by the client of MLflow %s',
    async (version) => {
      expect(theirs.runs.length).toBeGreaterThan(30);
      expect(shown(await takeSnapshot({ url: served.url, version }))).toEqual(shown(theirs));
    },
  );

  it('has the logged models, and they load', async () => {
    expect(await viewModels({ url: served.url, version: '3.17.2' })).toEqual(await viewModels(source));
  });

  it('has the registry, and its models load', async () => {
    expect(await viewRegistry({ url: served.url, version: '3.17.2' })).toEqual(await viewRegistry(source));
  });

  it('has the traces with their spans, in files', async () => {
    const ours = await viewTraces({ url: served.url, version: '3.17.2' });
    const told = await viewTraces(source);
    const traces = told.traces.map((trace) => ({ ...trace, in_store: false }));
    expect(ours.traces).toEqual(traces);
  });

  it('has scorers and evaluation datasets', async () => {
    expect(await viewEvaluation({ url: served.url, version: '3.17.2' })).toEqual(
      await viewEvaluation(source),
    );
  });

  it('is the same as a stream, a directory, a database, and the server itself', async () => {
    const stream = join(directory, 'all.ndjson');
    const bodies = join(directory, 'bodies');
    const mlruns = join(directory, 'mlruns');
    await copyReport(['export', backup, stream, '--view', 'all', '--artifacts-dir', bodies]);
    await copyReport(['copy', backup, mlruns, '--view', 'all']);
    const archived = await runsOf(served.url);
    expect(archived).toHaveLength(theirs.runs.length);
    for (const [place, options] of [
      [stream, { artifactsDir: bodies }],
      [mlruns, {}],
      [join(source.directory, 'mlflow.db'), {}],
      [source.url, {}],
    ] as const) {
      await using other = await servePlace(place, { tempDir: directory, ...options });
      expect([place, await runsOf(other.url)]).toEqual([place, archived]);
    }
  });

  it('is copied by mlferry itself, and is the archive then', async () => {
    await using target = await startServer();
    expect(await copyReport(['copy', served.url, target.url, '--view', 'all'])).toMatchObject({
      exit_status: 0,
      failures: [],
    });
    const { stdout, status } = await runMlferry(['verify', backup, target.url, '--view', 'all']);
    expect([stdout, status]).toEqual([expect.stringMatching(/^Same/m), 0]);
  });
});
