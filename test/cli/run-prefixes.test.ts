import { cp, mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { mlferry } from './mlferry.ts';

/** Two runs of the samples; each beginning of six digits fits no other. */
const RUN = '5071950eadec4f11bd836e77af67d461';
const OTHER = '59001ac9406349bca5b00a2d35d14880';
const EXPERIMENT = '138509036289544675';

let directory = '';
let place = '';
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'mlferry-prefix-'));
  place = join(directory, 'mlruns');
  await cp('samples/mlruns', place, { recursive: true });
  await mlferry(['backup', place, join(directory, 'all.tar')], directory);
  await mlferry(['export', place, join(directory, 'all.ndjson')], directory);
});
afterAll(() => rm(directory, { recursive: true, force: true }));

const listed = async (location: string, ...options: string[]) => {
  const { out, err, status } = await mlferry(
    ['runs', 'list', join(directory, location), '--ndjson', '--columns', 'run_id', ...options],
    directory,
  );
  return { ids: [...out.matchAll(/[0-9a-f]{32}/g)].map(([id]) => id), err, status };
};

describe.each(['mlruns', 'all.tar', 'all.ndjson'])('the beginning of a run id in %s', (location) => {
  it('means the one run that has it', async () => {
    const { ids, status } = await listed(location, '--run', RUN.slice(0, 6), '--run', OTHER.slice(0, 3));
    expect(ids.toSorted()).toEqual([RUN, OTHER]);
    expect(status).toBe(0);
  });

  it('of several runs is an error that names them', async () => {
    const { ids, err, status } = await listed(location, '--run', '5');
    expect(ids).toEqual([]);
    expect(err).toMatch(/^error USAGE: 3 runs begin with 5: /);
    expect(err).toContain(`${RUN} of experiment "wine-classifier"`);
    expect(err).toContain(OTHER);
    expect(status).toBe(2);
  });

  it('of none is a run that is not there', async () => {
    const { err, status } = await listed(location, '--run', 'abcdef0123');
    expect(err).toContain('abcdef0123');
    expect(status).toBe(3);
  });
});

it('a run of the wanted stage goes before others; alone, another one is told to be deleted', async () => {
  const moved = join(directory, 'staged');
  await cp(place, moved, { recursive: true });
  const meta = join(moved, EXPERIMENT, OTHER, 'meta.yaml');
  await writeFile(
    meta,
    (await readFile(meta, 'utf8')).replace('lifecycle_stage: active', 'lifecycle_stage: deleted'),
  );
  const twin = join(moved, EXPERIMENT, `5071${OTHER.slice(4)}`);
  await rename(join(moved, EXPERIMENT, OTHER), twin);
  await writeFile(
    join(twin, 'meta.yaml'),
    (await readFile(join(twin, 'meta.yaml'), 'utf8')).replaceAll(OTHER, `5071${OTHER.slice(4)}`),
  );
  expect((await listed('staged', '--run', '5071')).ids).toEqual([RUN]);
  expect((await listed('staged', '--run', '5071', '--view', 'all')).status).toBe(2);
  const deleted = await listed('staged', '--run', `5071${OTHER.slice(4, 9)}`);
  expect(deleted.err).toContain('deleted');
  expect(deleted.status).toBe(3);
});

it('every command takes it', async () => {
  const target = join(directory, 'copied/mlruns');
  const copied = await mlferry(
    ['copy', place, target, '--run', RUN.slice(0, 8), '--verify', '--json'],
    directory,
  );
  expect(JSON.parse(copied.out)).toMatchObject({
    exit_status: 0,
    runs: { created: 1 },
    verification: { runs: { same: 1 } },
  });
  const renamed = await mlferry(['runs', 'rename', place, RUN.slice(0, 8), 'best so far'], directory);
  expect(renamed.err).toContain('Renamed 1 run.');
  const tagged = await mlferry(
    ['runs', 'tag', place, 'a=b', '--run', RUN.slice(0, 8), '--yes', '--json'],
    directory,
  );
  expect(JSON.parse(tagged.out)).toMatchObject({ changed: 1, exit_status: 0 });
  const csv = await mlferry(['runs', 'csv', place, '--run', RUN.slice(0, 8)], directory);
  expect(csv.out).toContain('best so far');
  const verified = await mlferry(['verify', place, '--run', RUN.slice(0, 8), '--json'], directory);
  expect(JSON.parse(verified.out)).toMatchObject({ runs: { same: 1 }, exit_status: 0 });
  const inspected = await mlferry(['inspect', place, '--run', RUN.slice(0, 8), '--json'], directory);
  expect(JSON.parse(inspected.out)).toMatchObject({ total: { runs: 1 } });
});
