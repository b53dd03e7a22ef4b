import { copyFile, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { sharedServer } from '../servers/shared-server.ts';
import { copyReport, runMlferry } from './run-mlferry.ts';

const SOUND = Array.from({ length: 30 }, (_, step) => `${1_700_000_000_000 + step} ${step / 8} ${step}\n`);
const id = (number: number) => number.toString(16).padStart(32, '0');
const metaOf = (run: string, experiment: string) =>
  `artifact_uri: file:///gone/${experiment}/${run}/artifacts\nend_time: 1700000009000\nentry_point_name: ''\nexperiment_id: '${experiment}'\nlifecycle_stage: active\nrun_id: ${run}\nrun_name: run ${run.slice(-2)}\nsource_name: ''\nsource_type: 4\nsource_version: ''\nstart_time: 1700000000000\nstatus: 3\ntags: []\nuser_id: tester\n`;

/** What is wrong with the loss of a run: its file, the broken lines, and how many points can still be read. */
const BROKEN: ReadonlyArray<[what: string, content: string, lines: readonly number[], readable: number]> = [
  ['a line of one field', [...SOUND.slice(0, 3), 'oops\n', ...SOUND.slice(3)].join(''), [4], 30],
  ['a torn last line', `${SOUND.join('')}1700000000099 0.5`, [31], 30],
  [
    'zeros after a power loss',
    `${SOUND.slice(0, 20).join('')}${'\0'.repeat(512)}\n${SOUND.slice(20).join('')}`,
    [21],
    30,
  ],
  [
    'a comma as decimal point',
    [...SOUND.slice(0, 5), '1700000000005 0,625 5\n', ...SOUND.slice(6)].join(''),
    [6],
    29,
  ],
  [
    'a line without an end',
    `${SOUND.slice(0, 9).join('')}${'x'.repeat(2_500_000)}\n${SOUND.slice(9).join('')}`,
    [10],
    30,
  ],
];

describe('a directory with one fault of each kind', () => {
  const server = sharedServer();
  let root: string;
  let experiment: string;
  const lossOf = (number: number) => join(experiment, id(number), 'metrics', 'loss');

  beforeAll(async () => {
    root = await mkdtemp(join(tmpdir(), 'mlferry-damaged-'));
    for (const [name, number] of [
      ['first', '1'],
      ['second', '2'],
    ] as const) {
      await mkdir(join(root, number), { recursive: true });
      await writeFile(
        join(root, number, 'meta.yaml'),
        `artifact_location: file:///gone/${number}\nexperiment_id: '${number}'\nlifecycle_stage: active\nname: ${name}\n`,
      );
    }
    experiment = join(root, '1');
    for (let number = 1; number <= 30; number += 1) {
      const directory = join(experiment, id(number));
      for (const part of ['metrics', 'params', 'tags', 'artifacts'])
        await mkdir(join(directory, part), { recursive: true });
      await writeFile(join(directory, 'meta.yaml'), metaOf(id(number), '1'));
      await writeFile(join(directory, 'params', 'lr'), '0.1');
      await writeFile(join(directory, 'artifacts', 'notes.txt'), `notes ${number}`);
      await writeFile(lossOf(number), SOUND.join(''));
      await writeFile(join(directory, 'metrics', 'accuracy'), SOUND.slice(0, 10).join(''));
    }
    for (const [index, [, content]] of BROKEN.entries()) await writeFile(lossOf(index + 1), content);
    for (const name of ['.DS_Store', '._loss', 'Thumbs.db', 'desktop.ini', '.loss.swp', 'loss~'])
      await writeFile(join(experiment, id(6), 'metrics', name), 'junk\0');
    await mkdir(join(experiment, id(6), 'params', '.ipynb_checkpoints'));
    await writeFile(join(experiment, id(6), 'params', '.ipynb_checkpoints', 'lr-checkpoint'), '0.1');
    await writeFile(join(experiment, id(7), 'meta.yaml'), metaOf(id(7), '99'));
    await mkdir(join(root, '2', id(8)));
    await copyFile(join(experiment, id(8), 'meta.yaml'), join(root, '2', id(8), 'meta.yaml'));
    await writeFile(
      join(experiment, id(9), 'meta.yaml'),
      `${metaOf(id(9), '1')}x: [${'a,'.repeat(5_000_000)}a]\n`,
    );
    const keys = Array.from({ length: 60_000 }, (_, key) => `k${key}: 1\n`).join('');
    await writeFile(join(experiment, id(10), 'meta.yaml'), metaOf(id(10), '1') + keys);
  });
  afterAll(() => rm(root, { recursive: true, force: true }));

  it('gives every sound value, lists every fault by file and line, and is whole once it is mended', async () => {
    const { url } = await server();
    const report = await copyReport(['copy', root, url]);
    const told = report.failures.map(({ message }) => message.replaceAll(root, '')).sort();
    expect(told).toEqual(
      [
        ...BROKEN.flatMap(([, , lines], index) =>
          lines.map((line) => `/1/${id(index + 1)}/metrics/loss, line ${line} is not a metric value`),
        ),
        `/2/${id(8)} and /1/${id(8)} have the same run_id; the first one found is read`,
        `/1/${id(9)}/meta.yaml has more than 1048576 bytes`,
        `/1/${id(10)}/meta.yaml is no file of MLflow: too much stands in it`,
      ].sort(),
    );
    const readable = BROKEN.reduce((sum, [, , , points]) => sum + points, 0);
    expect(report).toMatchObject({
      exit_status: 3,
      runs: { read: 28, created: 28 },
      sent: { artifacts: 28, points: readable + 23 * 30 + 28 * 10 },
      loss_counts: { FOREIGN_FILES: 7, RUN_MOVED: 1 },
    });
    expect(await copyReport(['copy', root, url])).toMatchObject({
      exit_status: 3,
      runs: { created: 0, updated: 0, unchanged: 28 },
      sent: { artifacts: 0, points: 0 },
    });
    expect((await runMlferry(['verify', root, url])).status).toBe(3);
    const strict = await copyReport([
      'backup',
      root,
      join(root, '..', `${id(1)}.tar`),
      '--strict',
      '--overwrite',
    ]);
    expect(strict.runs).toMatchObject({ created: 23 });
    await rm(join(root, '..', `${id(1)}.tar`));

    // An archive tells what it lacks, so that its copy is not taken for the whole.
    const archive = join(root, '..', `${id(2)}.tar`);
    const notes = join(experiment, id(1), 'artifacts', 'notes.txt');
    const kept = await readFile(notes);
    await rm(notes);
    expect(await copyReport(['backup', root, archive, '--overwrite'])).toMatchObject({
      exit_status: 3,
      runs: { created: 28 },
    });
    const renamed = ['--rename', 'first=from an archive'];
    expect(await copyReport(['restore', archive, url, ...renamed])).toMatchObject({
      exit_status: 3,
      failures: [],
      loss_counts: { RUN_INCOMPLETE: BROKEN.length, NOT_READ: told.length },
      runs: { created: 28 },
    });
    expect(await copyReport(['restore', archive, url, ...renamed])).toMatchObject({
      exit_status: 3,
      runs: { unchanged: 28 },
    });
    const accepted = await copyReport([
      ...['restore', archive, url, ...renamed],
      ...['--accept-loss', 'RUN_INCOMPLETE,NOT_READ'],
    ]);
    expect(accepted.exit_status).toBe(0);
    const compared = await runMlferry(['verify', archive, url, ...renamed]);
    expect(compared).toMatchObject({ status: 3, stdout: expect.stringMatching(/RUN_INCOMPLETE 5/) });
    const alone = await runMlferry(['verify', archive]);
    expect(alone).toMatchObject({ status: 3, stdout: expect.stringMatching(/RUN_INCOMPLETE 5/) });
    expect((await runMlferry(['inspect', archive])).stdout).toMatch(
      new RegExp(`note: RUN_INCOMPLETE experiment "first" run ${id(1)}: .*could not be read whole`),
    );
    await rm(archive);
    await writeFile(notes, kept);

    for (const [index] of BROKEN.entries()) await writeFile(lossOf(index + 1), SOUND.join(''));
    await rm(join(root, '2', id(8)), { recursive: true });
    for (const number of [9, 10])
      await writeFile(join(experiment, id(number), 'meta.yaml'), metaOf(id(number), '1'));
    const mended = await copyReport(['copy', root, url]);
    expect(mended).toMatchObject({
      exit_status: 0,
      failures: [],
      runs: { created: 2 },
      sent: { points: 1 + 2 * 40, artifacts: 2 },
    });
    expect((await runMlferry(['verify', root, url])).status).toBe(0);
    // The point that is not the latest of its series, and the file, are missing in no record.
    expect(await copyReport(['copy', root, url, ...renamed])).toMatchObject({
      exit_status: 0,
      runs: { created: 2, updated: 5, unchanged: 23 },
      sent: { points: 1 + 2 * 40, artifacts: 1 + 2 },
    });
    expect((await runMlferry(['verify', root, url, ...renamed])).status).toBe(0);
    expect(await copyReport(['copy', root, url])).toMatchObject({
      runs: { unchanged: 30 },
      sent: { points: 0 },
    });
    expect(await readFile(lossOf(1), 'utf8')).toBe(SOUND.join(''));
  });
});
