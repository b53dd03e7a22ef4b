import { cp, mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { mlferry } from '../cli/mlferry.ts';

const [WINE, DIABETES] = ['138509036289544675', '327069844578935833'];
const RUN = 'e4163207d094499682f0ee99731c9452';

let directory: string;
let store: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'mlferry-move-'));
  store = join(directory, 'mlruns');
  await cp('samples/mlruns', store, { recursive: true });
  const path = join(store, WINE, RUN, 'meta.yaml');
  await writeFile(path, (await readFile(path, 'utf8')).replace('samples/mlruns', store));
});
afterEach(() => rm(directory, { recursive: true, force: true }));

const report = z.looseObject({ total: z.int(), changed: z.int(), unchanged: z.int(), exit_status: z.int() });

async function move(...args: string[]) {
  const { out, err } = await mlferry(['runs', 'move', store, '--yes', '--json', ...args], directory);
  return { err, ...report.parse(JSON.parse(out)) };
}

/** What is not as MLflow would have it, as a copy tells. */
async function losses(): Promise<string[]> {
  const { out } = await mlferry(['copy', store, join(directory, 'copy'), '--dry-run', '--json'], directory);
  return z
    .object({ losses: z.array(z.object({ code: z.string() })) })
    .parse(JSON.parse(out))
    .losses.map(({ code }) => code);
}

const metaOf = (experiment: string) => readFile(join(store, experiment, RUN, 'meta.yaml'), 'utf8');

describe('runs move in a directory', () => {
  it.each([DIABETES, 'diabetes-elasticnet'])('to %s: by id and name, and back by the same', async (to) => {
    const before = await metaOf(WINE);
    expect(await move('--to', to, '--run', RUN)).toMatchObject({ total: 1, changed: 1, exit_status: 0 });
    const meta = await metaOf(DIABETES);
    expect(meta).toContain(`experiment_id: "${DIABETES}"`);
    expect(meta).toContain(`/${DIABETES}/${RUN}/artifacts"`);
    // Nothing else of it is another.
    const rest = (text: string) => text.replace(/^(experiment_id|artifact_uri):.*$/gm, '');
    expect(rest(meta)).toBe(rest(before));
    expect(await losses()).toEqual([]);
    expect(await move('--to', to, '--run', RUN)).toMatchObject({ total: 0, unchanged: 1, exit_status: 0 });
    await move('--to', 'wine-classifier', '--run', RUN);
    const plain = (text: string) => text.replaceAll(/["']/g, '');
    expect(plain(await metaOf(WINE))).toBe(plain(before));
  });

  it('has a run that was moved by hand say where it lies, with the datasets that it read', async () => {
    await rename(join(store, WINE, RUN), join(store, DIABETES, RUN));
    expect(new Set(await losses())).toEqual(new Set(['RUN_MOVED', 'DATASET_DIFFERS']));
    const planned = await move('--to', DIABETES, '--run', RUN, '--dry-run');
    expect(planned).toMatchObject({ total: 1, unchanged: 0, changed: 0 });
    expect(planned.err).toContain('1 of them lie there already, moved by hand');
    expect(await move('--to', DIABETES, '-e', DIABETES)).toMatchObject({
      total: 1,
      changed: 1,
      unchanged: 5,
    });
    expect(await losses()).toEqual([]);
    expect(await metaOf(DIABETES)).toContain(`/${DIABETES}/${RUN}/artifacts"`);
    expect(await move('--to', DIABETES, '-e', DIABETES)).toMatchObject({ total: 0, unchanged: 6 });
  });

  it('moves on a run that was moved by hand', async () => {
    await rename(join(store, WINE, RUN), join(store, DIABETES, RUN));
    expect(await move('--to', 'third', '--create', '--run', RUN)).toMatchObject({
      changed: 1,
      exit_status: 0,
    });
    expect(await losses()).toEqual([]);
  });

  it('wants an experiment that is there, or --create', async () => {
    const { err, status } = await mlferry(
      ['runs', 'move', store, '--to', 'wine-clasifier', '-e', '*', '--yes'],
      directory,
    );
    expect(status).toBe(6);
    expect(err).toMatch(
      /NOT_FOUND: There is no experiment "wine-clasifier".*Did you mean "wine-classifier"\? --create makes it/,
    );
    await mlferry(['experiments', 'delete', store, '-e', 'wine*', '--yes'], directory);
    const deleted = await mlferry(
      ['runs', 'move', store, '--to', 'wine-classifier', '-e', 'diab*', '--yes'],
      directory,
    );
    expect(deleted.err).toContain('REFUSED: Experiment "wine-classifier" is deleted');
  });
});
