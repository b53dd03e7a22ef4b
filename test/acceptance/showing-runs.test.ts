import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { z } from 'zod';
import { sharedServer } from '../servers/shared-server.ts';
import { runMlferry } from './run-mlferry.ts';

const PARENT = 'f3f49249dc284f90a5aec7978306d03b';
const servers = { '3.17.2': sharedServer(), '2.22.5': sharedServer({ version: '2.22.5' }) };

let directory = '';
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'mlferry-showing-'));
});
afterAll(() => rm(directory, { recursive: true, force: true }));

async function json(...args: string[]): Promise<unknown> {
  const { status, stdout, stderr } = await runMlferry([...args, '--json']);
  if (status !== 0) throw new Error(`${args.join(' ')}: ${stderr}`);
  return JSON.parse(stdout);
}

const family = z.object({
  parents: z.array(z.unknown()),
  children: z.array(z.object({ run_name: z.string() })),
});
const shown = z.object({
  experiment: z.object({ name: z.string() }),
  run: z.object({ run_name: z.string(), params: z.unknown(), latest_metrics: z.unknown() }),
  duration: z.number(),
  source: z.unknown(),
  family,
  metrics: z.array(z.unknown()),
  artifacts: z.array(z.object({ path: z.string(), size: z.number() })),
});

const compared = z.object({
  places: z.array(z.string()),
  rows: z.array(z.object({ group: z.string(), name: z.string() })),
});

/** What does not depend on where a run is. */
async function showing(place: string, run_id: string) {
  const { artifacts, family: tree, ...rest } = shown.parse(await json('show', place, run_id));
  return {
    ...rest,
    children: tree.children.map(({ run_name }) => run_name),
    artifacts: artifacts.map(({ path, size }) => ({ path, size })),
  };
}

test.each(['3.17.2', '2.22.5', 'database'] as const)(
  'a run is shown the same in the samples and where they were copied to, and compared with it: %s',
  async (target) => {
    const place = target === 'database' ? `sqlite:///${directory}/mlflow.db` : (await servers[target]()).url;
    const init = target === 'database' ? ['--init'] : [];
    const copied = await runMlferry(['copy', 'samples/mlruns', place, '-e', 'diabetes*', ...init]);
    expect([copied.status, copied.stderr]).toEqual([0, expect.anything()]);
    const listed = z
      .array(z.object({ run_id: z.string() }))
      .parse(await json('runs', 'list', place, '-f', "attributes.run_name = 'grid search'"));
    const [{ run_id = '' } = {}] = listed;
    const wanted = await showing('samples/mlruns', PARENT);
    expect(wanted.children).toHaveLength(4);
    expect(await showing(place, run_id)).toEqual(wanted);

    const { places, rows } = compared.parse(
      await json(
        'compare',
        'samples/mlruns',
        place,
        '-f',
        "attributes.run_name = 'grid search'",
        '--values',
        'last,min,max',
      ),
    );
    expect(places).toHaveLength(2);
    expect(rows.map(({ name }) => name)).toContain('place');
    expect(rows.filter(({ group }) => group === 'params' || group === 'metrics')).toEqual([]);
  },
);
