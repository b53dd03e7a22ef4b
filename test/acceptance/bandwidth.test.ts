import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { copyBetween } from '../../src/copy/copy-between.ts';
import { verify } from '../../src/verify/verify.ts';
import { makeSmallWorkspace } from '../faults/small-workspace.ts';
import { sharedServer } from '../servers/shared-server.ts';
import { copyReport } from './run-mlferry.ts';

const server = sharedServer();
let directory: string;
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'mlferry-bandwidth-'));
  await makeSmallWorkspace((await server()).url, 1100);
});
afterAll(() => rm(directory, { recursive: true, force: true }));

/** Counts what is asked of it. */
function counting() {
  let bytes = 0;
  return {
    bytes: () => bytes,
    async take(count: number) {
      bytes += count;
    },
  };
}

describe('the bandwidth of a job', () => {
  it('counts each file once, and requests and answers', async () => {
    const { url } = await server();
    const target = join(directory, 'mlruns');
    const all = counting();
    const { report } = await copyBetween(url, target, { bandwidth: all });
    const { artifact_bytes } = report.sent;
    expect(artifact_bytes).toBeGreaterThan(70_000);
    // A thousand points are tens of kilobytes of JSON.
    expect(all.bytes()).toBeGreaterThan(artifact_bytes + 50_000);
    expect(all.bytes()).toBeLessThan(artifact_bytes * 2 + 500_000);

    const files = counting();
    await copyBetween(target, join(directory, 'again/mlruns'), { bandwidth: files });
    expect(files.bytes()).toBe(artifact_bytes);
    const both = counting();
    expect(await verify(target, join(directory, 'again/mlruns'), { bandwidth: both })).toMatchObject({
      items: [],
    });
    expect(both.bytes()).toBe(artifact_bytes * 2);
  });

  it('is an option of the command line, and changes nothing of what is copied', async () => {
    const { url } = await server();
    const archive = join(directory, 'slow.tar');
    const report = await copyReport(['backup', url, archive, '--bandwidth', '300kB', '--verify']);
    expect(report).toMatchObject({ exit_status: 0, failures: [], verification: { items: [] } });
    const wrong = await copyReport(['backup', url, archive, '--bandwidth', 'fast']).catch(String);
    expect(wrong).toContain('It is no size');
  });
});
