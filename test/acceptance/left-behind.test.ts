import { mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { copyBetween } from '../../src/copy/copy-between.ts';
import { inspect } from '../../src/inspect/inspect.ts';
import { copyReport, runMlferry } from './run-mlferry.ts';

let dir: string;
let store: string;
const id = (number: number) => number.toString(16).padStart(32, '0');
const RUNS = 6;

/** A store of two experiments; what it cannot give of the first one is of many kinds. */
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'mlferry-left-behind-'));
  store = join(dir, 'source', 'mlruns');
  for (const [experiment, name] of [
    ['1', 'first'],
    ['2', 'second'],
  ] as const) {
    await mkdir(join(store, experiment), { recursive: true });
    await writeFile(
      join(store, experiment, 'meta.yaml'),
      `artifact_location: ''\nexperiment_id: '${experiment}'\nlifecycle_stage: active\nname: ${name}\n`,
    );
  }
  for (let number = 1; number <= RUNS; number += 1) {
    const experiment = number < RUNS ? '1' : '2';
    const run = join(store, experiment, id(number));
    for (const part of ['metrics', 'params', 'tags', 'artifacts'])
      await mkdir(join(run, part), { recursive: true });
    const uri = number === 3 ? `s3://elsewhere/1/${id(number)}/artifacts` : '';
    await writeFile(
      join(run, 'meta.yaml'),
      `artifact_uri: '${uri}'\nend_time: 1700000009000\nexperiment_id: '${experiment}'\nlifecycle_stage: active\nrun_id: ${id(number)}\nrun_name: run ${number}\nstart_time: ${1_700_000_000_000 + number}\nstatus: 3\ntags: []\nuser_id: tester\n`,
    );
    await writeFile(join(run, 'metrics', 'loss'), '1700000000000 0.5 0\n1700000000001 0.25 1\n');
    if (number !== 3) await writeFile(join(run, 'artifacts', 'notes.txt'), `notes ${number}`);
  }
  const run = (number: number) => join(store, '1', id(number));
  await symlink(join(dir, 'gone.txt'), join(run(1), 'artifacts', 'link.txt'));
  await writeFile(join(run(2), 'params', 'note'), Buffer.from([0xff, 0xfe]));
  await writeFile(join(run(4), 'metrics', 'loss'), '1700000000000 0,5 0\n1700000000001 0.25 1\n');
  await writeFile(join(run(5), 'meta.yaml'), 'run_id: [');
});
afterAll(() => rm(dir, { recursive: true, force: true }));

/** Why the store's files of run 3 are missing is told once for the root, not for the run. */
const LOST = {
  ARTIFACT_MISSING: 1,
  ARTIFACTS_UNREACHABLE: 1,
  NOT_READ: 2,
  RUN_INCOMPLETE: 1,
  VALUE_NOT_ALLOWED: 1,
};

describe.each(['backup.tar', 'export.ndjson'])('what a %s lacks of its source', (name) => {
  const isStream = name.endsWith('.ndjson');
  const bytes = () => (isStream ? ['--artifacts-dir', join(dir, 'bytes')] : []);
  const settings = () => (isStream ? { artifactsDir: join(dir, 'bytes') } : {});
  const path = () => join(dir, name);

  it('stands in it, the same for the same source, and is told by inspect, verify and restore', async () => {
    const taken = await copyReport([isStream ? 'export' : 'backup', store, path(), ...bytes()]);
    expect(taken).toMatchObject({ exit_status: 3, failures: [expect.anything(), expect.anything()] });
    const again = join(dir, `again-${name}`);
    await copyBetween(store, again, settings());
    expect((await readFile(again)).equals(await readFile(path()))).toBe(true);

    const { losses } = await inspect(path());
    const told = losses.map(({ code, run_id, key, detail }) => ({ code, run_id, key, detail }));
    expect(told).toHaveLength(6);
    expect(told).toEqual(
      expect.arrayContaining([
        { code: 'ARTIFACT_MISSING', run_id: id(1), key: 'link.txt', detail: expect.any(String) },
        { code: 'VALUE_NOT_ALLOWED', run_id: id(2), key: 'note', detail: expect.any(String) },
        { code: 'ARTIFACTS_UNREACHABLE', detail: expect.stringContaining('s3://elsewhere') },
        { code: 'RUN_INCOMPLETE', run_id: id(4), detail: expect.any(String) },
        {
          code: 'NOT_READ',
          run_id: id(4),
          detail: expect.stringMatching(/loss, line 1 is not a metric value/),
        },
        { code: 'NOT_READ', run_id: id(5), detail: expect.stringContaining('meta.yaml') },
      ]),
    );
    const printed = await runMlferry(['inspect', path()]);
    expect(printed).toMatchObject({
      status: 0,
      stdout: expect.stringMatching(/note: NOT_READ .*meta\.yaml/),
    });

    const alone = await runMlferry(['verify', path(), ...bytes()]);
    expect(alone).toMatchObject({
      status: 3,
      stdout: expect.stringMatching(/NOT_READ 2(.|\n)*Sound, but incomplete/),
    });
    const compared = await runMlferry(['verify', store, path(), ...bytes(), '--json']);
    expect(JSON.parse(compared.stdout)).toMatchObject({ exit_status: 3, loss_counts: LOST });

    const target = join(dir, `from-${name}`, 'mlruns');
    const restore = [isStream ? 'import' : 'restore', path(), target, ...bytes()];
    const restored = await copyReport(restore);
    expect(restored).toMatchObject({ exit_status: 3, failures: [], loss_counts: LOST });
    const accepted = await copyReport([...restore, '--accept-loss', Object.keys(LOST).join()]);
    expect(accepted).toMatchObject({ exit_status: 0, loss_counts: LOST });
  });

  it('is told of what is chosen: of one experiment or run not what another one lacks', async () => {
    const toldOf = async (selection: { experiments?: string[]; runs?: string[] }) =>
      (await inspect(path(), { selection })).losses.map(({ code }) => code).sort();
    expect(await toldOf({ experiments: ['second'] })).toEqual([
      'ARTIFACTS_UNREACHABLE',
      'NOT_READ',
      'NOT_READ',
    ]);
    expect(await toldOf({ experiments: ['fir*'] })).toHaveLength(6);
    expect(await toldOf({ runs: [id(1)] })).toEqual(['ARTIFACTS_UNREACHABLE', 'ARTIFACT_MISSING']);
  });

  it('goes along into another file', async () => {
    const other = join(dir, `other-${name}`);
    const { report } = await copyBetween(path(), other, settings());
    expect(report).toMatchObject({ exit_status: 3, loss_counts: LOST });
    expect((await inspect(other)).losses).toEqual((await inspect(path())).losses);
  });
});

it('stands behind all objects, each code once', async () => {
  const lines = (await readFile(join(dir, 'export.ndjson'), 'utf8')).split(/(?<=\n)/);
  const at = lines.findIndex((line) => line.startsWith('{"kind":"left_behind"'));
  const line = lines[at] ?? '';
  for (const [name, changed, message] of [
    [
      'before',
      lines.toSpliced(at, 1).toSpliced(1, 0, line),
      /line 3 is of the kind experiment behind what was left behind/,
    ],
    ['twice', lines.toSpliced(at, 0, line), /has what was left behind as [A-Z_]+ a second time/],
  ] as const) {
    const path = join(dir, `${name}.ndjson`);
    await writeFile(path, changed.join(''));
    await expect(inspect(path, { allowEdited: true })).rejects.toMatchObject({
      code: 'CORRUPT',
      message: expect.stringMatching(message),
    });
  }
});

it.each(['unfinished.tar', 'unfinished.ndjson'])(
  'is told by an %s that is gone on with, whatever was kept of it',
  async (name) => {
    const whole = join(dir, `whole-${name}`);
    const { report } = await copyBetween(store, whole, { concurrency: 1 });
    const path = join(dir, name);
    for (const runs of [1, 3, 4]) {
      const controller = new AbortController();
      const stopped = await copyBetween(store, path, {
        concurrency: 1,
        signal: controller.signal,
        onProgress: (progress) => {
          if (progress.runs.done === runs) controller.abort();
        },
      });
      expect(stopped.report.error?.code).toBe('INTERRUPTED');
      const resumed = await copyBetween(store, path, { concurrency: 1 });
      expect(resumed.report.loss_counts).toEqual(report.loss_counts);
      expect(resumed.report.runs.unchanged).toBeGreaterThan(0);
      expect((await readFile(path)).equals(await readFile(whole))).toBe(true);
      await rm(path);
    }
  },
);
