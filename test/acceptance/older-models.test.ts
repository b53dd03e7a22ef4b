import { mkdtemp, rename, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
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

/** `MLFERRY_TEST_LONG=1`: an older one too. */
const versions =
  process.env.MLFERRY_TEST_LONG === '1' ? (['2.22.5', '2.9.2'] as const) : (['2.22.5'] as const);

describe.each(versions)('models of MLflow %s', (version) => {
  it('load and predict on the newest server, without the source', async () => {
    await using source = await startServer({ version });
    await using target = await startServer();
    await logOlderModels(source);
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
    const again = await copyReport(['copy', source.url, target.url]);
    expect(again).toMatchObject({ losses: [], sent: { artifacts: 0 }, runs: { unchanged: 3 } });
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
  });
});
