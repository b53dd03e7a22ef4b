import { mkdtemp, rename, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { loadModels, logOlderModels } from '../servers/mlflow-client.ts';
import { startServer } from '../servers/start-server.ts';
import { copyReport, runMlferry } from './run-mlferry.ts';

let directory: string;
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'mlferry-older-models-'));
});
afterAll(async () => rm(directory, { recursive: true, force: true }));

async function mustBeSame(from: string, to: string, ...options: string[]) {
  const { stdout, status } = await runMlferry(['verify', from, to, '--json', ...options]);
  expect(JSON.parse(stdout)).toMatchObject({ items: [] });
  expect(status).toBe(0);
}

/** `MLFERRY_TEST_LONG=1`: an older one too, and a model with a file of 300 MB. */
const long = process.env.MLFERRY_TEST_LONG === '1';
const versions = long ? (['2.22.5', '2.9.2'] as const) : (['2.22.5'] as const);

describe.each(versions)('models of MLflow %s', (version) => {
  it('load and predict on the newest server, without the source', async () => {
    await using source = await startServer({ version });
    await using target = await startServer();
    await logOlderModels(source, long ? 300_000_000 : 3000);
    const seen = await loadModels(source);
    expect(Object.keys(seen).sort()).toEqual([
      'models:/champions/1',
      'models:/champions/3',
      'models:/champions/4',
      'models:/champions@best',
      'models:/champions@other',
      'runs:/<run early>/taken',
      'runs:/<run late>/own',
      'runs:/<run train>/classifier',
      'runs:/<run train>/deep/scaled',
    ]);
    const archive = join(directory, `${version}.tar`);
    expect(await copyReport(['copy', source.url, archive])).toMatchObject({ exit_status: 0, losses: [] });
    expect(await copyReport(['copy', archive, target.url])).toMatchObject({
      exit_status: 0,
      loss_counts: { MODEL_TIMES: 4 },
      failures: [],
    });
    await mustBeSame(source.url, target.url);
    await mustBeSame(archive, target.url);
    // An archive may have fewer files than its source: the first copy from that looks once.
    for (const runs of [{ created: 0 }, { unchanged: 3 }])
      expect(await copyReport(['copy', source.url, target.url])).toMatchObject({
        ...{ losses: [], sent: { artifacts: 0 }, runs },
      });
    const artifacts = join(source.directory, 'artifacts');
    await rename(artifacts, `${artifacts}-away`);
    expect(await loadModels(target)).toEqual(
      Object.fromEntries(
        Object.entries(seen).map(([uri, loaded]) => [
          uri,
          // The run that it names may have come later: then the id of the source stays.
          uri.endsWith('/taken') ? { ...loaded, run: expect.any(String) } : loaded,
        ]),
      ),
    );
    const late = ['-f', "run_name = 'late'", '--rename', 'models=kept', '--keep-model-files'];
    await copyReport(['copy', archive, target.url, ...late]);
    await mustBeSame(archive, target.url, ...late);
    const changed = late.slice(0, -1);
    expect((await runMlferry(['verify', archive, target.url, ...changed])).status).toBe(4);
    // Without the option they are brought up to date.
    expect(await copyReport(['copy', archive, target.url, ...changed])).toMatchObject({
      sent: { artifacts: 1 },
    });
    await mustBeSame(archive, target.url, ...changed);

    await rename(`${artifacts}-away`, artifacts);
    await changeStage(source.url, 'train', 'delete');
    await using other = await startServer();
    expect(await copyReport(['copy', source.url, other.url])).toMatchObject({ exit_status: 0, failures: [] });
    await mustBeSame(source.url, other.url);
    expect(await copyReport(['copy', source.url, other.url])).toMatchObject({
      sent: { artifacts: 0 },
      objects: { model_versions: { unchanged: 3 } },
    });
    const versions = Object.entries(await loadModels(other)).filter(([uri]) =>
      uri.startsWith('models:/champions'),
    );
    expect(versions.map(([uri, { predictions }]) => [uri, predictions])).toEqual(
      versions.map(([uri]) => [uri, seen[uri]?.predictions]),
    );
    expect(versions.length).toBe(5);

    // The run of versions that came without it.
    await changeStage(source.url, 'train', 'restore');
    for (const runs of [
      { created: 1, unchanged: 2 },
      { created: 0, unchanged: 3 },
    ]) {
      const later = await copyReport(['copy', source.url, other.url]);
      expect(later).toMatchObject({ failures: [], runs, objects: { model_versions: { unchanged: 3 } } });
    }
    await mustBeSame(source.url, other.url);
  });
});

async function changeStage(url: string, run_name: string, change: 'delete' | 'restore'): Promise<void> {
  const post = async (path: string, body: object): Promise<unknown> => {
    const headers = { 'content-type': 'application/json' };
    const answer = await fetch(`${url}/api/2.0/mlflow/${path}`, {
      method: 'POST',
      headers,
      body: JSON.stringify(body),
    });
    return answer.json();
  };
  const experiments = await post('experiments/search', { max_results: 10 });
  const { experiments: all } = z
    .object({ experiments: z.array(z.object({ experiment_id: z.string() })) })
    .parse(experiments);
  const filter = `attributes.run_name = '${run_name}'`;
  const found = await post('runs/search', {
    experiment_ids: all.map(({ experiment_id }) => experiment_id),
    filter,
    run_view_type: 'ALL',
  });
  const { runs } = z
    .object({ runs: z.array(z.object({ info: z.object({ run_id: z.string() }) })) })
    .parse(found);
  for (const { info } of runs) await post(`runs/${change}`, { run_id: info.run_id });
}
