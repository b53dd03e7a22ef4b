import { cp, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { parseTime } from '../../src/cli/parse-time.ts';
import { shellQuote } from '../../src/cli/shell-quote.ts';
import { mlferry as mlferryIn } from './mlferry.ts';

let directory = '';
let place = '';
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'mlferry-cli-manage-'));
  place = join(directory, 'mlruns');
  await cp('samples/mlruns', place, { recursive: true });
});
afterEach(async () => {
  await rm(directory, { recursive: true, force: true });
});

/** With `answer` on a terminal on which that is typed. */
const mlferry = (args: readonly string[], answer?: string) =>
  mlferryIn(args, join(directory, 'state'), { answer });

const activeRuns = async () => {
  const { out } = await mlferry(['runs', 'list', place, '--columns', 'run_name', '--json']);
  return (JSON.parse(out) as unknown[]).length;
};

describe('the question', () => {
  it('is asked after the plan was shown, and only yes goes on', async () => {
    const args = ['runs', 'delete', place, '-e', 'diabetes*', '-f', 'metrics.rmse > 0'];
    const before = await activeRuns();
    const no = await mlferry(args, 'n\n');
    expect(no.status).toBe(130);
    expect(no.err).toMatch(
      /^Delete 4 runs at .*\n.*diabetes-elasticnet {2}4 runs {2}alpha[^\n]*\nGo on\? \[y\/N\] /,
    );
    expect(no.err).toContain('Nothing was changed.');
    expect((await mlferry(args, '')).status).toBe(130);
    expect(await activeRuns()).toBe(before);
    const yes = await mlferry(args, 'y\n');
    expect(yes.status).toBe(0);
    expect(yes.err).toMatch(
      /Deleted 4 runs\.\nUndo: mlferry runs restore \S+ --from-undo \S+delete-runs\.ndjson\n$/,
    );
    // As printed, it can be pasted.
    const [, undoing = ''] = /Undo: mlferry (.*)\n$/.exec(yes.err) ?? [];
    expect((await mlferry([...undoing.split(' '), '--yes'])).status).toBe(0);
    expect(await activeRuns()).toBe(before);
    expect((await mlferry([...args, '--yes'])).status).toBe(0);
    expect(await activeRuns()).toBe(before - 4);
  });

  it('is refused without a terminal, and not asked with --yes or --dry-run', async () => {
    const args = ['runs', 'delete', place, '-e', 'diabetes*'];
    expect(await mlferry(args)).toMatchObject({
      status: 2,
      out: '',
      err: expect.stringMatching(/^error USAGE: There is no terminal/),
    });
    const plan = await mlferry([...args, '--dry-run']);
    expect(plan).toMatchObject({ status: 0, out: '' });
    expect(plan.err).toMatch(/^Delete 5 runs at .*Dry run: nothing was changed\.\n$/s);
    expect((await mlferry([...args, '--yes', '--json'])).out).toContain('"changed":5');
  });
});

describe('the lists', () => {
  it('are a table, a JSON array or lines, with chosen columns', async () => {
    const columns = ['--columns', 'run_name,params.alpha,metrics.rmse,tags.none', '-f', 'metrics.rmse > 0'];
    const { out } = await mlferry([
      'runs',
      'list',
      place,
      ...columns,
      '--order-by',
      'metrics.rmse',
      '--max-runs',
      '2',
    ]);
    expect(out.split('\n')[0]).toMatch(/^run_name +params\.alpha +metrics\.rmse +tags\.none$/);
    expect(out.trimEnd().split('\n')).toHaveLength(3);
    const lines = (await mlferry(['runs', 'list', place, ...columns, '--ndjson'])).out.trimEnd().split('\n');
    expect(lines).toHaveLength(4);
    expect(JSON.parse(lines[0] ?? '')).toMatchObject({ 'params.alpha': '0.01', 'tags.none': null });
    const whole = JSON.parse((await mlferry(['runs', 'list', place, '--view', 'deleted', '--json'])).out);
    expect(whole).toMatchObject([
      { kind: 'run', run_name: 'wrong labels', experiment_name: 'Team A/churn baseline' },
    ]);
    expect((await mlferry(['runs', 'list', place, '-f', 'metrics.none > 0', '--json'])).out).toBe('[]\n');
    expect(await mlferry(['runs', 'list', place, '--columns', 'nonsense'])).toMatchObject({ status: 2 });
  });

  it('show the experiments of each stage', async () => {
    await mlferry(['experiments', 'delete', place, '-e', 'wine*', '--yes']);
    expect((await mlferry(['experiments', 'list', place])).out).not.toContain('wine');
    const { out } = await mlferry(['experiments', 'list', place, '--view', 'deleted', '--ndjson']);
    expect(
      out
        .trimEnd()
        .split('\n')
        .map((line) => JSON.parse(line)),
    ).toMatchObject([{ name: 'wine-classifier' }]);
  });
});

describe('the command line', () => {
  it.each([
    [['runs', 'delete', 'x', '--yes'], /^error USAGE: Nothing says which runs\. Name them/],
    [
      ['runs', 'tag', 'x', 'novalue', '-e', 'a', '--yes'],
      /^error USAGE: "novalue" is not of the form KEY=VALUE\. /,
    ],
    [
      ['runs', 'delete', 'x', '--created-before', 'soon'],
      /^error USAGE: option '--created-before <time>' .* See mlferry runs delete --help\.\n$/,
    ],
    [['runs', 'csv', 'x', '--layout', 'excel'], /See mlferry runs csv --help\.\n$/],
    [['runs', 'nonsense'], /^error USAGE: unknown command 'nonsense'.* See mlferry runs --help\.\n$/],
    [['experiments', 'delete', 'x', '--yes'], /^error USAGE: Nothing says which experiments\./],
    [
      ['experiments', 'rename', 'x', 'a'],
      /^error USAGE: missing required argument 'name'\. See mlferry experiments rename --help\.\n$/,
    ],
    [
      ['runs', 'delete', 'samples/backup.tar', '-e', 'a', '--yes'],
      /^error LOCATION: .* cannot be changed in place/,
    ],
    [['runs', 'delete', 'samples/mlruns', '-f', 'metrics.a >', '--dry-run'], /^error EXPRESSION: /],
  ])('%j exits 2 with a reason', async (args, message) => {
    const { status, out, err } = await mlferry(args);
    expect({ status, out }).toEqual({ status: 2, out: '' });
    expect(err).toMatch(message);
  });

  it('shows help with examples for every command of a group', async () => {
    for (const path of [['runs'], ['runs', 'restore'], ['experiments', 'restore']])
      expect((await mlferry([...path, '--help'])).out).toContain('Examples\n  mlferry');
  });
});

it.each([
  ['1714521600000', 1_714_521_600_000],
  ['2024-05-01', 1_714_521_600_000],
  ['2024-05-01T00:00', 1_714_521_600_000],
  ['2024-05-01T02:00:00+02:00', 1_714_521_600_000],
  ['2024-05-01T00:00:00.5Z', 1_714_521_600_500],
])('%s is a time', (written, time) => {
  expect(parseTime(written)).toBe(time);
});

it.each([
  ['30m', 30 * 60_000],
  ['12h', 12 * 3_600_000],
  ['7d', 7 * 86_400_000],
  ['2w', 14 * 86_400_000],
])('%s is so long ago', (written, age) => {
  const before = Date.now();
  const time = parseTime(written);
  expect(time).toBeGreaterThanOrEqual(before - age);
  expect(time).toBeLessThanOrEqual(Date.now() - age);
});

it('tells which runs a time of deletion leaves out, and why', async () => {
  expect((await mlferry(['runs', 'delete', place, '-e', '*', '-y'])).status).toBe(0);
  const late = await mlferry(['runs', 'restore', place, '--deleted-after', '2100-01-01', '-y']);
  expect(late.status).toBe(0);
  expect(late.err).toMatch(
    /Left out: [\d,]+ runs deleted before that time\n {2}[0-9a-f]{32} {2}\S.* {2}20\d\d-/,
  );
  const all = await mlferry(['runs', 'restore', place, '--deleted-after', '1h', '-y']);
  expect(all.err).toMatch(/Left out: 1 run deleted before that time\n.*wrong labels +2026-01-05T07:59:00Z\n/);
  const since = await mlferry(['runs', 'list', place, '--since', '2100-01-01', '--json']);
  expect(since.out).toBe('[]\n');
  expect((await mlferry(['runs', 'list', place, '--since', '1h', '--created-after', '1h'])).status).toBe(2);
});

it.each([
  ['./mlruns', './mlruns'],
  ['my runs', "'my runs'"],
  ["it's", String.raw`'it'\''s'`],
  ['a$(b)', "'a$(b)'"],
  ['', "''"],
])('%j is a word of a shell', (word, quoted) => {
  expect(shellQuote(word)).toBe(quoted);
});

it.each(['', 'yesterday', '2023-02-31', '7x', '2024-13-01', '2024-05-01 00:00', '-1', '1e3'])(
  '%j is none',
  (written) => {
    expect(() => parseTime(written)).toThrow('neither milliseconds');
  },
);
