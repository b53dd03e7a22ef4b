import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { openWriter } from '../../src/places/open.ts';
import { makeExperiment, makeRun, testOptions, writeWorkspace } from '../places/memory-workspace.ts';
import { mlferry } from './mlferry.ts';

/** Markup, a formula, and what turns text round. */
const EVIL = '=<img src=x onerror=alert(1)>|\u202e\u001b[1A';
const id = (digit: string) => digit.repeat(32);

let directory = '';
let file = '';
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'mlferry-compare-'));
  file = join(directory, 'a.ndjson');
  const runs = [
    await makeRun(
      { run_id: id('1'), run_name: 'one', params: { lr: '0.1', depth: '3' }, tags: { 'mlflow.user': 'me' } },
      [
        [
          'loss',
          [
            [0, 1, 5],
            [1, 2, 'NaN'],
            [1, 3, 2],
            [2, 4, 3],
          ],
        ],
        ['same', [[0, 1, 1]]],
      ],
    ),
    await makeRun({ run_id: id('2'), run_name: EVIL, params: { lr: '0.2', depth: '3', only: EVIL } }, [
      [
        'loss',
        [
          [0, 1, 4],
          [1, 2, 1],
          [2, 3, 2],
        ],
      ],
      ['same', [[0, 1, 1]]],
    ]),
  ];
  const workspace = [{ experiment: makeExperiment(), runs }];
  await writeWorkspace(workspace, await openWriter(file, testOptions(directory).options));
});
afterAll(() => rm(directory, { recursive: true, force: true }));

const compare = (...args: string[]) => mlferry(['compare', ...args], join(directory, 'state'));

const compared = z.object({
  rows: z.array(
    z.object({
      group: z.string(),
      name: z.string(),
      differs: z.boolean(),
      values: z.array(z.unknown()),
      best: z.array(z.number()),
    }),
  ),
  runs: z.array(z.looseObject({ run_id: z.string(), place: z.number() })),
  hidden: z.number(),
});
async function json(...args: string[]) {
  const { out, status } = await compare(...args, '--json');
  expect(status).toBe(0);
  const { rows, ...rest } = compared.parse(JSON.parse(out));
  const row = (name: string) => rows.find((each) => each.name === name);
  return { ...rest, rows, row };
}

describe('compare', () => {
  it('shows what differs, marks the best value, and with --all the rest', async () => {
    const { row, rows, hidden } = await json(file, '--best', 'metrics.loss ASC');
    expect(row('lr')?.values).toEqual(['0.1', '0.2']);
    expect(row('loss')).toMatchObject({ values: [3, 2], best: [1] });
    expect(row('only')?.values).toEqual([null, EVIL]);
    expect(rows.every(({ differs }) => differs)).toBe(true);
    expect([row('depth'), row('same'), row('mlflow.user')]).toEqual([undefined, undefined, undefined]);
    const all = await json(file, '--all');
    expect(all.rows).toHaveLength(rows.length + hidden);
    expect(all.row('depth')).toMatchObject({ differs: false, values: ['3', '3'] });
    const text = (await compare(file, '--all', '--best', 'metrics.loss ASC')).out;
    expect(text).toMatch(/^≠ params\.lr /m);
    expect(text).toMatch(/^ {2}params\.depth /m);
    expect(text).toMatch(/metrics\.loss .* 2 \*$/m);
  });

  it('takes the last, least and greatest value and those at steps', async () => {
    const { row } = await json(file, '--values', 'last,min,max,step=1,step=9');
    expect(row('loss (last)')?.values).toEqual([3, 2]);
    expect(row('loss (min)')?.values).toEqual([2, 1]);
    expect(row('loss (max)')?.values).toEqual([5, 4]);
    expect(row('loss (step 1)')?.values).toEqual([2, 1]);
    expect(row('loss (step 9)')).toBeUndefined();
  });

  it('sets runs of several places side by side, and chooses, sorts and counts over all of them', async () => {
    const both = await json('samples/mlruns', 'samples/backup.tar', '-e', 'wine*');
    expect(both.runs.map(({ place }) => place)).toEqual([0, 0, 0, 0, 1, 1, 1, 1]);
    expect(both.row('place')?.differs).toBe(true);
    const best = await json(
      'samples/mlruns',
      'samples/runs.ndjson',
      ...['-f', 'metrics.rmse < 70', '--order-by', 'metrics.rmse ASC', '--max-runs', '3'],
    );
    const rmse = best.row('rmse')?.values ?? [];
    expect(rmse.map((value) => Number(Number(value).toFixed(2)))).toEqual([54.47, 54.47, 60.58]);
  });

  it('prints nothing raw that comes from outside, in any format', async () => {
    const text = await compare(file);
    for (const raw of ['\u202e', '\u001b']) expect(text.out).not.toContain(raw);
    const markdown = (await compare(file, '--format', 'markdown', '--runs-as', 'rows')).out;
    expect(markdown).toContain(String.raw`=\<img src=x onerror=alert(1)\>\|`);
    expect(markdown.split('\n')[1]).toMatch(/^(\| --- )+\|$/);
    const csv = (await compare(file, '--format', 'csv', '--excel-safe')).out;
    expect(csv).toContain(`'=<img`);
    expect(csv.split('\r\n')[0]).toBe(`,${id('1')},${id('2')}`);
  });

  it('writes one page, and replaces it only when it is told to', async () => {
    const page = join(directory, 'page.html');
    const { status, err } = await compare(file, '--html', page);
    expect([status, err]).toEqual([0, expect.stringMatching(/2 runs, 2\.\d MB/)]);
    const html = await readFile(page, 'utf8');
    expect(html).toContain("default-src 'none'");
    expect(html).not.toContain('onerror');
    await writeFile(page, 'mine');
    expect((await compare(file, '--html', page)).status).toBe(8);
    expect(await readFile(page, 'utf8')).toBe('mine');
    expect((await compare(file, '--html', page, '--overwrite')).status).toBe(0);
    expect(await readFile(page, 'utf8')).toBe(html);
  });

  it.each([
    [['--best', 'params.lr'], 2, 'names no metric'],
    [['--values', 'mean'], 2, 'none of last, min, max'],
    [['-f', 'metrics.loss >'], 2, 'EXPRESSION'],
  ])('%j ends with %i', async (args, status, message) => {
    const ended = await compare(file, ...args);
    expect([ended.status, ended.err]).toEqual([status, expect.stringContaining(message)]);
  });
});
