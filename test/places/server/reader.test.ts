import { describe, expect, it } from 'vitest';
import { ALL_ACTIVE, type Selection } from '../../../src/model/selection.ts';
import { sharedServer } from '../../servers/shared-server.ts';
import type { ServerOptions } from '../../servers/start-server.ts';
import { MLFLOW_VERSIONS } from '../../servers/versions.ts';
import { created, FILES, fill, identified, openReader, readAll, sha256 } from './filled-server.ts';
import { rest } from './rest.ts';

const stores: Array<[name: string, options: ServerOptions]> = [
  ...MLFLOW_VERSIONS.map((version): [string, ServerOptions] => [version, { version }]),
  ['a directory store', { store: 'filestore' }],
];

/** `MLFERRY_TEST_LONG=1`: a long history on every server; otherwise on one that has pages of it, one that has not, and a directory. */
const withLongHistory =
  process.env.MLFERRY_TEST_LONG === '1' ? stores : stores.filter(([name]) => /^3\.17|^3\.1\.|dir/.test(name));

describe.each(stores)('a server with MLflow %s', (name, options) => {
  const server = sharedServer(options);

  it('gives everything of a run as it is', async () => {
    const { url, version } = await server();
    const made = await fill(url, 'full', true);
    const { reader, losses, failures } = await openReader(url);
    expect(reader.info).toMatchObject({ kind: 'server', location: url, server_version: version });
    expect(reader.info.fingerprint).toMatch(/^[0-9a-f]{16}$/);
    const [found, ...others] = await readAll(reader, { ...ALL_ACTIVE, experiments: ['full'] });
    expect(others).toEqual([]);
    expect(found?.experiment).toMatchObject({
      experiment_id: made.experiment_id,
      name: 'full',
      lifecycle_stage: 'active',
    });
    expect(Object.entries(found?.experiment.tags ?? {})).toContainEqual(['__proto__', 'tag']);
    const [full, ...more] = found?.runs ?? [];
    expect(more).toEqual([]);
    expect(full?.run).toMatchObject({
      run_id: made.run_id,
      experiment_id: made.experiment_id,
      run_name: 'full',
      user_id: 'somebody',
      status: 'FAILED',
      start_time: 1_700_000_000_123,
      end_time: 1_700_000_001_123,
      artifact_uri: made.artifact_uri,
      tags: { note: 'ü\n"', 'mlflow.runName': 'full' },
      dataset_inputs: [{ dataset: made.dataset, tags: { 'mlflow.data.context': 'training' } }],
    });
    expect(Object.entries(full?.run.params ?? {}).sort()).toEqual([
      ['__proto__', 'param'],
      ['lr', '0.1'],
    ]);
    expect(full?.run.latest_metrics).toEqual({
      big: ['9007199254740993', 1_700_000_000_000, 1e300],
      loss: [899, 1_700_000_001_022, 1 / 900],
      'm/ü x': [2, 5, -0.5],
    });
    expect(full?.points).toEqual({
      big: [['9007199254740993', 1_700_000_000_000, 1e300]],
      loss: Array.from({ length: 900 }, (_, step) => [step, 1_700_000_000_123 + step, 1 / (step + 1)]),
      'm/ü x': [
        [-3, 0, 'NaN'],
        [2, 5, -0.5],
      ],
    });
    expect(full?.files).toEqual(
      FILES.map(([path, content]) => [path, Buffer.byteLength(content), sha256(content)]),
    );
    expect(losses).toEqual([]);
    expect(failures).toEqual([]);
  });

  const hasLongHistory = withLongHistory.some(([other]) => other === name);
  it.for(hasLongHistory ? [26_000] : [])('gives a history of %d points whole', async (length) => {
    const { url } = await server();
    const { call } = rest(url);
    const { experiment_id } = identified.parse(await call('experiments/create', { name: 'long' }));
    const { run } = created.parse(await call('runs/create', { experiment_id, start_time: 1 }));
    for (let from = 0; from < length; from += 1000) {
      const metrics = Array.from({ length: 1000 }, (_, i) => ({
        key: 'k',
        value: from + i,
        timestamp: from + i,
        step: from + i,
      }));
      await call('runs/log-batch', { run_id: run.info.run_id, metrics });
    }
    const { reader } = await openReader(url);
    const [found] = await readAll(reader, { ...ALL_ACTIVE, experiments: ['long'] });
    expect(found?.runs[0]?.points).toEqual({ k: Array.from({ length }, (_, i) => [i, i, i]) });
  });

  it('gives deleted runs and experiments by view, and counts what a view leaves out', async () => {
    const { url } = await server();
    const made = await fill(url, 'partly deleted', false);
    const gone = await fill(url, 'deleted', false);
    await rest(url).call('experiments/delete', { experiment_id: gone.experiment_id });
    const named = { experiments: ['partly*', 'deleted'], runs: [] };
    const idsOf = async (view: Selection['view']) => {
      const { reader, failures } = await openReader(url);
      const found = await readAll(reader, { ...named, view });
      return { ids: found.map(({ runs }) => runs.map(({ run }) => run.run_id)), failures };
    };
    const active = await idsOf('active');
    expect(active.ids).toEqual([[made.run_id]]);
    expect(active.failures).toMatchObject([
      { code: 'NOT_FOUND', object: 'experiment "deleted"', hint: expect.stringContaining('--view all') },
    ]);
    expect((await idsOf('all')).ids).toEqual([
      [made.deleted_id, made.run_id],
      [gone.deleted_id, gone.run_id],
    ]);
    expect((await idsOf('deleted')).ids).toEqual([[made.deleted_id], [gone.deleted_id, gone.run_id]]);
    const { reader } = await openReader(url);
    const selection: Selection = { ...named, view: 'active' };
    for await (const experiment of reader.experiments(selection)) {
      expect(await reader.hiddenRuns?.(experiment, selection)).toBe(1);
      expect(await reader.hiddenRuns?.(experiment, { ...selection, view: 'all' })).toBe(0);
    }
    await reader.close();
  });

  it('gives runs by id, and reports what is not there', async () => {
    const { url } = await server();
    const made = await fill(url, 'by id', false);
    const { reader, failures } = await openReader(url);
    const nowhere = '0123456789abcdef0123456789abcdef';
    const found = await readAll(reader, {
      experiments: [],
      runs: [made.run_id, made.deleted_id, nowhere],
      view: 'active',
    });
    expect(found.map(({ experiment, runs }) => [experiment.name, runs.map(({ run }) => run.run_id)])).toEqual(
      [['by id', [made.run_id]]],
    );
    expect(failures.map(({ code, object }) => [code, object])).toEqual(
      expect.arrayContaining([
        ['NOT_FOUND', `run "${made.deleted_id}"`],
        ['NOT_FOUND', `run "${nowhere}"`],
      ]),
    );
    expect(failures).toHaveLength(2);
    const short = await openReader(url);
    const byStart = { experiments: ['by id'], runs: [made.run_id.slice(0, 12), '0123456789abcde'] };
    const [whole] = await readAll(short.reader, { ...byStart, view: 'active' });
    expect(whole?.runs.map(({ run }) => run.run_id)).toEqual([made.run_id]);
    expect(short.failures).toMatchObject([{ code: 'NOT_FOUND', object: 'run "0123456789abcde"' }]);
    const other = await openReader(url);
    expect(
      await readAll(other.reader, { experiments: ['Default', 'no such'], runs: [made.run_id], view: 'all' }),
    ).toEqual([]);
    expect(other.failures.map(({ object }) => object).sort()).toEqual([
      'experiment "no such"',
      `run "${made.run_id}"`,
    ]);
  });
});
