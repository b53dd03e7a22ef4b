import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { runIdsIn } from '../../src/cli/runs-from.ts';
import { mlferry } from './mlferry.ts';

const SAMPLES = 'samples/mlruns';
const [SLOW, GRID] = ['e4163207d094499682f0ee99731c9452', 'f3f49249dc284f90a5aec7978306d03b'];

let directory: string;
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'mlferry-runs-from-'));
});
afterAll(() => rm(directory, { recursive: true, force: true }));

const rows = z.array(z.object({ run_id: z.string() }));

/** The runs that a list with these options has. */
async function listed(args: readonly string[], stdin = '') {
  const { out, status } = await mlferry(['runs', 'list', SAMPLES, '--json', ...args], directory, { stdin });
  expect(status).toBe(0);
  return rows.parse(JSON.parse(out)).map(({ run_id }) => run_id);
}

async function file(content: string): Promise<string> {
  const path = join(directory, 'runs');
  await writeFile(path, content);
  return path;
}

describe('--runs-from', () => {
  it.each([
    ['ids, one a line', `# chosen by hand\n${SLOW}\n\n  ${GRID}\r\n`],
    [
      'an id map',
      `{"kind":"experiment","source_id":"1","target_id":"2"}\n${[SLOW, GRID].map((id) => `{"kind":"run","source_id":"${id}","target_id":"x"}\n`).join('')}`,
    ],
    ['a list', JSON.stringify([SLOW, GRID].map((run_id) => ({ run_id, run_name: 'a' })))],
    [
      'a report',
      JSON.stringify({
        exit_status: 3,
        failures: [SLOW, GRID].map((id) => ({ code: 'REFUSED', object: 'run', of: { kind: 'run', id } })),
      }),
    ],
    [
      'a verification',
      JSON.stringify({
        items: [SLOW, GRID]
          .map((id) => ({ kind: 'run', id, symbol: '*' }))
          .concat({ kind: 'run', id: 'other', symbol: '-' }),
      }),
    ],
  ])('takes %s', async (_, content) => {
    expect((await listed(['--runs-from', await file(content)])).toSorted()).toEqual([SLOW, GRID]);
  });

  it('reads stdin, adds to --run, and what mlferry itself has written', async () => {
    expect(await listed(['--runs-from', '-', '--run', GRID], `${SLOW}\n`)).toHaveLength(2);
    const { out } = await mlferry(['runs', 'list', SAMPLES, '-e', 'diabetes*', '--ndjson'], directory);
    expect(await listed(['--runs-from', await file(out)])).toHaveLength(5);
    const map = join(directory, 'map.ndjson');
    const target = join(directory, 'mlruns');
    await mlferry(['copy', SAMPLES, target, '-e', 'wine*', '--id-map', map], directory);
    expect(await listed(['--runs-from', map])).toHaveLength(4);
  });

  it('never means all runs, and tells the line that is none', async () => {
    for (const content of ['', '{"failures":[]}', '# nothing\n']) {
      const { err, status } = await mlferry(
        ['runs', 'list', SAMPLES, '--runs-from', await file(content)],
        directory,
      );
      expect([status, err]).toEqual([2, expect.stringContaining('names no run')]);
    }
    const wrong = await mlferry(
      ['runs', 'list', SAMPLES, '--runs-from', await file(`${SLOW}\na b\n`)],
      directory,
    );
    expect([wrong.status, wrong.err]).toEqual([2, expect.stringContaining('line 2 is no run id')]);
    for (const [more, why] of [
      ['"error": {"code": "UNAVAILABLE"}', 'is of a job that stopped'],
      ['"unlisted": 4000', 'does not list all'],
    ]) {
      const report = await file(`{"failures": [{"run_id": "${SLOW}"}], ${more}}`);
      const part = await mlferry(['runs', 'list', SAMPLES, '--runs-from', report], directory);
      expect([part.status, part.err]).toEqual([2, expect.stringContaining(why ?? '')]);
    }
    const absent = await mlferry(
      ['runs', 'list', SAMPLES, '--runs-from', join(directory, 'absent')],
      directory,
    );
    expect([absent.status, absent.err]).toEqual([2, expect.stringContaining('cannot be read')]);
    const twice = await mlferry(['import', '-', join(directory, 'x'), '--runs-from', '-'], directory);
    expect([twice.status, twice.err]).toEqual([2, expect.stringContaining('exclude each other')]);
  });

  it('takes a hundred thousand ids', () => {
    const ids = Array.from({ length: 100_000 }, (_, index) => index.toString(16).padStart(32, '0'));
    expect(runIdsIn(ids.join('\n'), 'runs')).toHaveLength(100_000);
  });
});

describe('--exclude-experiment', () => {
  const names = async (...args: string[]) => {
    const { out } = await mlferry(['experiments', 'list', SAMPLES, '--json', ...args], directory);
    return z
      .array(z.object({ name: z.string() }))
      .parse(JSON.parse(out))
      .map(({ name }) => name);
  };

  it('leaves experiments out by name, id and glob, of all and of named ones', async () => {
    expect(await names('--exclude-experiment', 'wine*')).toEqual([
      'diabetes-elasticnet',
      'Team A/churn baseline',
    ]);
    expect(
      await names('--exclude-experiment', '327069844578935833', '--exclude-experiment', 'Team*'),
    ).toEqual(['wine-classifier']);
    expect(await names('-e', '*e*', '--exclude-experiment', 'diabetes-elasticnet')).toEqual([
      'wine-classifier',
      'Team A/churn baseline',
    ]);
    const gone = await mlferry(
      ['runs', 'list', SAMPLES, '-e', 'wine*', '--exclude-experiment', '*'],
      directory,
    );
    expect([gone.status, gone.err]).toEqual([
      3,
      expect.stringContaining('All experiments "wine*" are excluded'),
    ]);
  });

  it('is kept in an archive, and verify with it knows it', async () => {
    const archive = join(directory, 'some.tar');
    const options = ['--exclude-experiment', 'wine*'];
    const copied = await mlferry(['backup', SAMPLES, archive, ...options, '--verify', '--json'], directory);
    expect(JSON.parse(copied.out)).toMatchObject({
      runs: { read: 6 },
      exit_status: 0,
      verification: { items: [] },
    });
    expect((await mlferry(['verify', SAMPLES, archive, ...options], directory)).status).toBe(0);
    expect((await mlferry(['verify', SAMPLES, archive], directory)).status).toBe(4);
  });
});
