import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { copyBetween } from '../../src/copy/copy-between.ts';
import { verify } from '../../src/verify/verify.ts';
import { makeWorkspace } from '../servers/mlflow-client.ts';
import { sharedServer } from '../servers/shared-server.ts';

const selection = { view: 'all' } as const;

/** What a report says that has nothing to complain about. */
function clean(experiments: number, runs: number, loss_counts: Record<string, number>) {
  return {
    items: [],
    loss_counts,
    experiments: { same: experiments, different: 0, only_in_source: 0, only_in_target: 0, unreadable: 0 },
    runs: { same: runs, different: 0, only_in_source: 0, only_in_target: 0, unreadable: 0, others: 0 },
    exit_status: 0,
  };
}

/** A parent and a run in a URI that exist nowhere. */
const strangers = { PARENT_NOT_COPIED: 1, REFERENCE_KEPT: 1 };

describe('a clean copy of the hostile workspace has no difference', () => {
  const sourceServer = sharedServer();
  let directory: string;

  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'mlferry-verify-'));
    await makeWorkspace(await sourceServer(), 'small');
  });
  afterAll(() => rm(directory, { recursive: true, force: true }));

  // The other pairs are in test/acceptance/whole-workspace.test.ts.
  test('server → archive → mlruns, in both directions, full and quick', async () => {
    const { url } = await sourceServer();
    const archive = join(directory, 'backup.tar');
    const store = join(directory, 'mlruns');
    await copyBetween(url, archive, { selection });
    expect(await verify(url, archive, { selection })).toMatchObject(clean(5, 28, {}));
    expect(await verify(archive, url, { selection })).toMatchObject(clean(5, 28, {}));
    expect(await verify(url, archive, { selection, quick: true })).toMatchObject(clean(5, 28, {}));
    expect(await verify(archive, undefined, { selection })).toMatchObject(clean(5, 28, {}));

    await copyBetween(archive, store, { selection });
    expect(await verify(archive, store, { selection })).toMatchObject(clean(5, 28, strangers));
    // The runs have the origin that a direct copy would have given them.
    expect(await verify(url, store, { selection })).toMatchObject(clean(5, 28, strangers));
    expect(await verify(url, store, { selection, quick: true })).toMatchObject(clean(5, 28, strangers));
    expect(await verify(store, undefined, { selection })).toMatchObject(clean(5, 28, {}));
  });
});
