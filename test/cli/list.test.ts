import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough, Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import stringWidth from 'string-width';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { run } from '../../src/cli/main.ts';
import { formatTable, tablePrinter } from '../../src/cli/table.ts';
import { relativeTime } from '../../src/cli/time-text.ts';
import { nearest } from '../../src/util/nearest.ts';
import { printable } from '../../src/util/plain-text.ts';
import { mlferry } from './mlferry.ts';

const SAMPLES = 'samples/mlruns';

let directory = '';
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'mlferry-list-'));
});
afterAll(() => rm(directory, { recursive: true, force: true }));

describe('a table', () => {
  it('is aligned by the cells that texts take, and cut between characters', () => {
    const table = formatTable([
      ['name', 'n'],
      ['日本語', '1'],
      ['e\u0301', '22'],
    ]);
    expect(table).toBe('name    n\n日本語   1\ne\u0301       22\n');
    const cut = formatTable(
      [
        ['name', 'value'],
        ['日本語'.repeat(20), '👩‍👩‍👧‍👦'.repeat(30)],
      ],
      40,
    );
    for (const line of cut.trimEnd().split('\n')) expect(stringWidth(line)).toBeLessThanOrEqual(40);
    expect(cut).toContain('…');
  });

  it('of many rows is printed as they come', () => {
    let out = '';
    const table = tablePrinter(
      (more) => {
        out += more;
      },
      ['n'],
    );
    for (let row = 0; row < 200_000; row += 1) table.add([String(row)]);
    expect(out.length).toBeGreaterThan(700_000);
    table.end();
    expect(out.split('\n')).toHaveLength(200_002);
  });

  it('prints nothing that turns text round or moves the cursor', () => {
    expect(printable('a\u202eb\u0007\u2066c\n')).toBe('a\ufffdb\ufffd\ufffdc\ufffd');
    expect(formatTable([['a\u202eb', '1']])).toBe('a\ufffdb  1\n');
  });
});

it('times are told in their largest unit', () => {
  const now = Date.UTC(2026, 0, 10);
  expect([5, 90, 7200, 86_400 * 3].map((seconds) => relativeTime(now - seconds * 1000, now))).toEqual([
    '5s ago',
    '1m ago',
    '2h ago',
    '3d ago',
  ]);
});

it('names that are nearly right are found', () => {
  expect(nearest('run_nme', ['run_id', 'run_name'])).toBe('run_name');
  expect(nearest('FINISHD', ['RUNNING', 'FINISHED'])).toBe('FINISHED');
  expect(nearest('x', ['run_id'])).toBeUndefined();
});

describe('runs list', () => {
  const values = async (...args: string[]) => {
    const { out, status } = await mlferry(['runs', 'list', SAMPLES, ...args, '--ndjson'], directory);
    expect(status).toBe(0);
    return out
      .trim()
      .split('\n')
      .map((line): Record<string, unknown> => JSON.parse(line));
  };

  it.each(['ASC', 'DESC'])(
    '--order-by … %s sorts what is printed, over all experiments',
    async (direction) => {
      const listed = await values(
        '--order-by',
        `attributes.start_time ${direction}`,
        '--columns',
        'start_time',
      );
      const times = listed.map(({ start_time }) => Number(start_time));
      expect(times.length).toBe(10);
      expect(times).toEqual(times.toSorted((a, b) => (direction === 'ASC' ? a - b : b - a)));
      const csv = await mlferry(
        ['runs', 'csv', SAMPLES, '--layout', 'mlflow', '--order-by', `attributes.start_time ${direction}`],
        directory,
      );
      const column = csv.out.trim().split('\r\n').slice(1);
      expect(column).toHaveLength(10);
      const ids = (await values('--order-by', `attributes.start_time ${direction}`)).map(({ run_id }) =>
        String(run_id),
      );
      for (const [index, id] of ids.entries()) expect(column[index]).toContain(id);
    },
  );

  it('--limit says how many more there are, and no runs are said to be none', async () => {
    const { out, err } = await mlferry(['runs', 'list', SAMPLES, '--limit', '3'], directory);
    expect(out.trim().split('\n')).toHaveLength(4);
    expect(out).toContain('metrics.');
    expect(err).toContain('(7 more: --limit 3)');
    const none = await mlferry(['runs', 'list', SAMPLES, '-f', "params.nope = 'x'"], directory);
    expect(none.err).toContain('(0 runs)');
  });

  it('a wrong column names the right one', async () => {
    const { err, status } = await mlferry(['runs', 'list', SAMPLES, '--columns', 'run_nme'], directory);
    expect(err).toContain('Did you mean run_name?');
    expect(status).toBe(2);
    const columns = 'params.model,metrics.train/los,tags.nothing like it';
    const key = await mlferry(['runs', 'list', SAMPLES, '--columns', columns], directory);
    expect(key).toMatchObject({
      status: 0,
      err: 'No run listed has metrics.train/los; did you mean metrics.train/loss?\nNo run listed has tags.nothing like it\n',
    });
  });

  it('fits the terminal, with relative times', async () => {
    const stdout = Object.assign(new PassThrough(), { isTTY: true, columns: 100 });
    const stderr = new PassThrough();
    const shown = text(stdout);
    await run(['node', 'mlferry', 'runs', 'list', SAMPLES, '--relative'], {
      stdin: Readable.from([]),
      stdout,
      stderr,
      environment: { XDG_STATE_HOME: directory },
      signal: new AbortController().signal,
      exit: () => undefined,
    });
    stdout.end();
    const lines = (await shown).trimEnd().split('\n');
    expect(lines).toHaveLength(11);
    for (const line of lines) expect(stringWidth(line)).toBeLessThanOrEqual(100);
    expect(lines[1]).toMatch(/^[0-9a-f]{12} {2}\S/);
    expect(lines[1]).toContain('ago');
  });
});
