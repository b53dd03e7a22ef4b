import { cp, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { copyBetween } from '../../../src/copy/copy-between.ts';
import type { ObjectRecord } from '../../../src/kinds/kind.ts';
import { FURTHER_KINDS } from '../../../src/kinds/kinds.ts';
import { ALL_ACTIVE, type Selection } from '../../../src/model/selection.ts';
import { openReader } from '../../../src/places/open.ts';
import { collect, readerOptions } from '../memory-workspace.ts';

let dir: string;
let root: string;
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'mlferry-export-'));
  root = join(dir, 'export');
});
afterEach(() => rm(dir, { recursive: true, force: true }));

const take = (name: string) =>
  cp(fileURLToPath(new URL(`../../fixtures/export-import/${name}`, import.meta.url)), root, {
    recursive: true,
  });

const change = async (path: string, edit: (json: string) => string) =>
  writeFile(join(root, path), edit(await readFile(join(root, path), 'utf8')));

interface Found {
  readonly record: ObjectRecord;
  readonly files: Readonly<Record<string, string>>;
}

/** All objects of the further kinds, whole, with their files. `held`: whether their runs and models are on a target. */
async function read(held = true, selection = {}) {
  const { options, losses, failures } = readerOptions(dir);
  const reader = await openReader(root, options);
  const wanted = { ...ALL_ACTIVE, ...selection };
  const experiments = await collect(reader.experiments(wanted));
  const runs = new Set<string>();
  for (const each of experiments) for await (const { run } of reader.runs(each, wanted)) runs.add(run.run_id);
  const scope = {
    selection: wanted,
    experiments,
    isChosen: (kind: string, id: string) => kind !== 'run' || runs.has(id),
    isHeld: () => held,
  };
  const objects: Record<string, Found[]> = {};
  for (const { kind } of FURTHER_KINDS) {
    objects[kind] = [];
    for await (const object of reader.objects?.get(kind)?.read(scope) ?? []) {
      await object.report?.();
      const record = (await object.whole?.()) ?? object.record;
      const files: [string, string][] = [];
      for await (const entry of object.artifacts()) {
        const body = await object.open(entry);
        if (body !== undefined) files.push([entry.path, await text(body)]);
      }
      objects[kind]?.push({ record, files: Object.fromEntries(files) });
    }
  }
  await reader.close();
  const of = (kind: string) => (objects[kind] ?? []).map(({ record }) => record);
  return { objects, of, losses, failures };
}

const numbersOf = (versions: readonly ObjectRecord[], name: string) =>
  versions.filter((each) => each.name === name).map(({ version }) => version);

describe('the registry', () => {
  it.each(['2022-12-04', '2022-12-06', '2023-03', '2023-10', '2025-08'])(
    'of %s: versions in the order of their numbers, with stages, tags, descriptions',
    async (generation) => {
      await take(`${generation}/all`);
      const { of, failures } = await read();
      expect(failures).toEqual([]);
      expect(of('registered_model')).toMatchObject([
        { name: 'bare', tags: {} },
        { name: 'vintage', description: 'of the year', tags: { k: 'v' } },
      ]);
      const versions = of('model_version');
      expect(numbersOf(versions, 'vintage')).toEqual(['1', '3', '4', '5', '6', '7', '8', '9', '10', '11']);
      expect(versions[8]).toMatchObject({
        version: '10',
        current_stage: 'Production',
        description: 'v10',
        tags: { n: '10' },
        aliases: ['champion'],
        source: expect.stringMatching(/^mlflow-artifacts:\/1\/[0-9a-f]{32}\/artifacts\/model$/),
        run_id: expect.stringMatching(/^[0-9a-f]{32}$/),
        status: 'READY',
      });
    },
  );

  it.each(['2023-10', '2025-08'])('a version by itself, of %s', async (generation) => {
    await take(`${generation}/model-version`);
    const { of } = await read();
    expect(of('registered_model')).toMatchObject([{ name: 'vintage' }]);
    expect(of('model_version')).toMatchObject([{ version: '10', aliases: ['champion'] }]);
  });

  it('brings the files of versions whose run does not come along', async () => {
    await take('2023-03/all');
    const { objects, losses } = await read(false);
    expect(objects.model_version?.map(({ files }) => Object.keys(files))).toEqual(
      Array.from({ length: 10 }, () => ['MLmodel', 'w.bin']),
    );
    expect(losses.filter(({ code }) => code !== 'NOT_EXPORTED')).toEqual([]);
  });

  it('takes a copy that the registry had before the files of the run', async () => {
    await take('2023-10/model-version');
    await writeFile(join(root, 'mlflow_model/model/MLmodel'), 'of the registry');
    const { objects } = await read(false);
    expect(objects.model_version?.[0]?.files).toMatchObject({ MLmodel: 'of the registry' });
  });

  it('of a choice of experiments has what was made of their runs', async () => {
    await take('2025-08/all');
    const { of } = await read(true, { experiments: ['wine'] });
    expect(of('registered_model').map(({ name }) => name)).toEqual(['vintage']);
    expect((await read(true, { experiments: ['empty'] })).of('registered_model')).toEqual([]);
  });

  it('loses one version for one that cannot be read, and tells those that were not exported', async () => {
    await take('2025-08/all');
    await change('models/vintage/model.json', (json) =>
      json
        .replace('"version": "3"', '"version": "three"')
        .replace('"failed_versions": []', '"failed_versions": [{"version": {}}]'),
    );
    const { of, failures, losses } = await read();
    expect(numbersOf(of('model_version'), 'vintage')).toEqual([
      '1',
      '4',
      '5',
      '6',
      '7',
      '8',
      '9',
      '10',
      '11',
    ]);
    expect(failures).toMatchObject([
      { object: expect.stringContaining('a version of registered model "vintage"') },
    ]);
    expect(losses).toContainEqual(
      expect.objectContaining({
        code: 'NOT_EXPORTED',
        left_behind: true,
        count: 1,
        of: { kind: 'registered_model', id: 'vintage' },
      }),
    );
  });

  it.each(['../../../../../secret', 'model/../../../../../../secret'])(
    'does not look for files outside of its run: %s',
    async (path) => {
      await take('2025-08/all');
      await mkdir(join(dir, 'secret'));
      await writeFile(join(dir, 'secret', 'file'), 'secret');
      await change('models/vintage/model.json', (json) =>
        json.replaceAll('/artifacts/model"', `/artifacts/${path}"`),
      );
      const { objects, losses } = await read(false);
      expect(objects.model_version?.flatMap(({ files }) => Object.keys(files))).toEqual([]);
      expect(losses.map(({ code }) => code)).toContain('ARTIFACTS_UNREACHABLE');
    },
  );

  it('does not follow a link in place of a version’s files', async () => {
    await take('2023-10/model-version');
    await mkdir(join(dir, 'secret'));
    await writeFile(join(dir, 'secret', 'file'), 'secret');
    await rm(join(root, 'mlflow_model'), { recursive: true });
    await symlink(join(dir, 'secret'), join(root, 'mlflow_model'));
    const { objects } = await read(false);
    expect(objects.model_version?.flatMap(({ files }) => Object.keys(files))).toEqual(['MLmodel', 'w.bin']);
  });
});

describe('MLflow 3', () => {
  it('logged models once, with values, tags and files', async () => {
    await take('2026-01/all');
    const { objects, failures } = await read();
    expect(failures).toEqual([]);
    const [model, orphan] = objects.logged_model ?? [];
    expect(objects.logged_model).toHaveLength(2);
    expect(model?.record).toMatchObject({
      model_id: 'm-b61b7f29d781405198d437b12080dc92',
      experiment_id: '2',
      name: 'model',
      status: 'LOGGED_MODEL_READY',
      source_run_id: 'aef3a68f8b3345e4a5179d4c4dd84c2b',
      creation_timestamp_ms: 1_795_449_344_652,
      metrics: [
        { key: 'acc', value: 0.9, step: 1, run_id: 'aef3a68f8b3345e4a5179d4c4dd84c2b' },
        { key: 'acc', value: 0.95, step: 2 },
      ],
    });
    expect(Object.keys(model?.files ?? {})).toEqual([
      'MLmodel',
      'conda.yaml',
      'python_env.yaml',
      'requirements.txt',
    ]);
    expect(orphan?.record).toMatchObject({
      name: 'orphan',
      model_type: 'agent',
      params: { p: '1' },
      tags: { a: 'b' },
    });
    expect(orphan?.record).not.toHaveProperty('source_run_id');
  });

  it('versions of a logged model in the order of their numbers', async () => {
    await take('2026-01/model');
    const { of } = await read();
    const versions = of('model_version');
    expect(numbersOf(versions, 'rm1')).toEqual(Array.from({ length: 12 }, (_, index) => String(index + 1)));
    expect(versions[9]).toMatchObject({ aliases: ['champion'], tags: { n: '10' } });
    expect(versions[2]).toMatchObject({
      current_stage: 'Production',
      source: 'models:/m-b61b7f29d781405198d437b12080dc92',
    });
  });

  it('prompts as MLflow keeps them', async () => {
    await take('2026-01/all');
    const { of, losses } = await read();
    expect(of('registered_model')[0]).toMatchObject({
      name: 'chat',
      tags: { 'mlflow.prompt.is_prompt': 'true' },
    });
    const versions = of('model_version');
    expect(versions[0]?.tags).toEqual({
      'mlflow.prompt.is_prompt': 'true',
      'mlflow.prompt.text': '[{"role": "system", "content": "s {{x}}"}]',
      _mlflow_prompt_type: 'chat',
    });
    expect(numbersOf(versions, 'pr1')).toHaveLength(11);
    expect(versions.find(({ name, version }) => name === 'pr1' && version === '2')).toMatchObject({
      description: 'c2',
      tags: { k: '2', 'mlflow.prompt.text': 'v2 {{x}}', _mlflow_prompt_type: 'text' },
    });
    expect(losses.map(({ key }) => key)).toContain('prompts');
  });

  it('traces with their assessments, and says that they have no spans', async () => {
    await take('2026-01/experiment');
    const { of, losses } = await read();
    const [first, second] = of('trace');
    expect(first).toMatchObject({
      trace_id: 'tr-ea73ea83785be5ad0dc21c3a20fdad0d',
      request_time: 1_795_449_345_433,
      execution_duration: 34,
      state: 'OK',
      source_run_id: 'aef3a68f8b3345e4a5179d4c4dd84c2b',
      request_preview: '{"q": "hi"}',
      spans: [],
      assessments: [
        {
          assessment_name: 'good',
          feedback: { value: 'true' },
          source: { source_type: 'HUMAN', source_id: 'bob' },
          rationale: 'r',
          create_time: 1_795_449_347_564,
        },
        { assessment_name: 'exp', expectation: { value: '"x"' } },
      ],
    });
    expect(second).not.toHaveProperty('source_run_id');
    expect(losses.map(({ code, count, of: about }) => [code, count, about?.id])).toEqual([
      ['TRACE_SPANS', 2, 'tr-ea73ea83785be5ad0dc21c3a20fdad0d'],
      ['TRACE_SPANS', 1, 'tr-a82dc0e70523aee0228447809570c53a'],
    ]);
  });

  it('traces with spans to the nanosecond, whose file is none of theirs', async () => {
    await take('2026-01/traces');
    const { objects, losses } = await read();
    const [found] = objects.trace ?? [];
    expect(found?.files).toEqual({});
    expect(found?.record).toMatchObject({
      spans: [
        { span_id: 'f710be666606d3d0', name: 'root', start_time_unix_nano: '1795449602444152916' },
        {
          parent_span_id: 'f710be666606d3d0',
          end_time_unix_nano: '1795449602531478063',
          events: [{ name: 'ev', attributes: { z: '1' } }],
        },
      ],
    });
    expect(losses.map(({ code }) => code)).toEqual(['NOT_EXPORTED']);
  });

  it('traces of MLflow 2, and one that was exported by itself', async () => {
    await take('2026-01/traces');
    const trace = 'tr-dc70512081cf48737f052acc4a7ab5a1';
    await rm(join(root, 'traces.json'));
    await change(`${trace}/trace.json`, (json) => {
      const { system, mlflow } = JSON.parse(json);
      const info = {
        request_id: 'dc70512081cf48737f052acc4a7ab5a1',
        experiment_id: '7',
        timestamp_ms: 1_700_000_000_000,
        execution_time_ms: 5,
        status: 'ERROR',
        request_metadata: { 'mlflow.traceInputs': '{"q": 1}' },
        tags: { 'mlflow.traceName': 'old' },
      };
      return JSON.stringify({ system, mlflow: { ...mlflow, info } });
    });
    const { of } = await read();
    expect(of('trace')).toMatchObject([
      { experiment_id: '7', request_time: 1_700_000_000_000, state: 'ERROR', request_preview: '{"q": 1}' },
    ]);
  });

  it('evaluation datasets with their records', async () => {
    await take('2026-01/all');
    const { of } = await read();
    expect(of('evaluation_dataset')).toMatchObject([
      { name: 'evds', experiment_ids: ['2'], tags: { a: 'b', 'mlflow.user': 'root' }, created_by: 'root' },
    ]);
    expect(of('evaluation_dataset_record')).toMatchObject([
      {
        dataset_record_id: 'dr-fc34f5a912d942d9af82d94e2a784ae8',
        inputs: '{"q": "1"}',
        expectations: '{"a": "2"}',
        tags: '{"t": "1", "mlflow.user": "root"}',
      },
    ]);
  });

  it('what its lists name and is not there, or say that it failed', async () => {
    await take('2026-01/all');
    await rm(join(root, 'models/rm1'), { recursive: true });
    await rm(join(root, 'experiments/2/traces/tr-ea73ea83785be5ad0dc21c3a20fdad0d'), { recursive: true });
    await rm(join(root, 'experiments/2/logged_models/m-c5797e45bc8043aebc79b41100319965'), {
      recursive: true,
    });
    await rm(join(root, 'evaluation_datasets/evds_d-4c2f8cbbccec44db934d897f368c301d'), { recursive: true });
    await change('prompts/prompts_summary.json', (json) =>
      json.replace('"failed_exports": 0', '"failed_exports": 2'),
    );
    const { failures, losses } = await read();
    expect(failures.map(({ object }) => object).toSorted()).toEqual([
      'evaluation dataset "evds" (d-4c2f8cbbccec44db934d897f368c301d)',
      'logged model m-c5797e45bc8043aebc79b41100319965',
      'registered model "rm1"',
      'trace tr-ea73ea83785be5ad0dc21c3a20fdad0d',
    ]);
    expect(losses).toContainEqual({
      code: 'NOT_EXPORTED',
      left_behind: true,
      count: 2,
      detail: 'What could not be exported, as prompts/prompts_summary.json says',
    });
  });

  it('what a list of a selected experiment says that failed', async () => {
    await take('2026-01/all');
    const list = 'experiments/2/traces/traces.json';
    await change(list, (json) => json.replace('"failed_traces": []', '"failed_traces": ["tr-1", "tr-2"]'));
    const failed = {
      code: 'NOT_EXPORTED',
      left_behind: true,
      count: 2,
      detail: `What could not be exported, as ${list} says`,
    };
    expect((await read(true, { experiments: ['2'] })).losses).toContainEqual(failed);
    expect((await read(true, { exclude_experiments: ['2'] })).losses).not.toContainEqual(failed);
  });

  it('spans of traces that are taken, and of no others', async () => {
    await take('2026-01/all');
    for (const id of ['tr-ea73ea83785be5ad0dc21c3a20fdad0d', 'tr-a82dc0e70523aee0228447809570c53a'])
      await rm(join(root, `experiments/2/traces/${id}/artifacts`), { recursive: true, force: true });
    const lost = async (selection: Partial<Selection>) => {
      const { report } = await copyBetween(root, join(dir, 'out.tar'), { selection, overwrite: true });
      return report.losses.filter(({ code }) => code === 'TRACE_SPANS').map(({ of }) => of?.id);
    };
    expect((await lost({})).length).toBe(2);
    expect(await lost({ trace_filter: "status = 'IN_PROGRESS'" })).toEqual([]);
    expect(await lost({ runs: ['0'.repeat(32)] })).toEqual([]);
  });

  it('permissions of Databricks are told', async () => {
    await take('2026-01/experiment');
    await change('experiment.json', (json) =>
      json.replace('"runs": [', '"permissions": {"x": []}, "runs": ['),
    );
    const { losses } = await read();
    expect(losses).toContainEqual(expect.objectContaining({ code: 'KIND_NOT_HELD', key: 'permissions' }));
  });

  it.each([
    ['experiments/2/logged_models/m-c5797e45bc8043aebc79b41100319965/logged_model.json', 'logged_model', 1],
    ['experiments/2/traces/tr-ea73ea83785be5ad0dc21c3a20fdad0d/trace.json', 'trace', 1],
    ['prompts/pr1_v3/prompt.json', 'model_version', 23],
    [
      'evaluation_datasets/evds_d-4c2f8cbbccec44db934d897f368c301d/evaluation_dataset.json',
      'evaluation_dataset',
      0,
    ],
  ])('a damaged file costs its object: %s', async (path, kind, left) => {
    await take('2026-01/all');
    await change(path, (json) => json.slice(0, -20));
    const { of, failures } = await read();
    expect(of(kind)).toHaveLength(left);
    expect(failures).toMatchObject([{ code: 'SOURCE_ITEM', object: `file ${path}` }]);
  });
});
