import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { makeTree, openStore, readStore } from './store.ts';

/** A store that someone else made: its links lead where they like, and what looks like a file may have no end. */

const RUN = 'a'.repeat(32);
const OTHER = 'b'.repeat(32);
const experimentMeta = "artifact_location: /gone/0\nexperiment_id: '0'\nlifecycle_stage: active\nname: e\n";
const runMeta = (id: string, uri = `/gone/0/${id}/artifacts`) =>
  `artifact_uri: ${uri}\nend_time: 20\nexperiment_id: '0'\nlifecycle_stage: active\nrun_id: ${id}\nrun_name: n\nstart_time: 10\nstatus: 3\nuser_id: me\n`;

let dir: string;
let root: string;
const at = (...path: string[]) => join(root, '0', RUN, ...path);
const pipe = (path: string) => promisify(execFile)('mkfifo', [path]);
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'filestore-links-'));
  root = join(dir, 'store', 'mlruns');
  await makeTree(root, {
    '0/meta.yaml': experimentMeta,
    [`0/${RUN}/meta.yaml`]: runMeta(RUN),
    [`0/${RUN}/tags/good`]: 'yes',
    [`0/${RUN}/artifacts/good`]: 'yes',
    [`0/${OTHER}/meta.yaml`]: runMeta(OTHER),
  });
  await makeTree(dir, { 'secret/key': 'canary-secret', 'secret/artifacts/key': 'canary-secret' });
});
afterEach(() => rm(dir, { recursive: true, force: true }));

/** The store as it is read; nothing of what lies outside may be in it. */
async function read() {
  const found = await readStore(root);
  expect(JSON.stringify(found.workspace)).not.toContain('canary');
  expect(JSON.stringify(found.workspace)).not.toContain(Buffer.from('canary-secret').toString('base64'));
  const [first] = found.workspace;
  const artifacts = new Map(first?.runs.map(({ run, artifacts: files }) => [run.run_id, files]));
  for (const [, bytes] of [...artifacts.values()].flat()) expect(String(bytes)).not.toContain('canary');
  return { ...found, run: first?.runs.find(({ run }) => run.run_id === RUN) };
}

describe('links out of the store', () => {
  it.each(['tags', 'params', 'metrics'])('are not followed for %s, and that is said', async (kind) => {
    await rm(at(kind), { recursive: true, force: true });
    await symlink(join(dir, 'secret'), at(kind));
    const { run, losses, failures } = await read();
    expect(run?.artifacts).toHaveLength(1);
    expect(failures).toEqual([]);
    expect(losses).toMatchObject([
      { code: 'KEY_NOT_ALLOWED', run_id: RUN, detail: expect.stringContaining('symbolic link') },
    ]);
  });

  it('are not followed for a tag', async () => {
    await symlink(join(dir, 'secret', 'key'), at('tags', 'stolen'));
    const { run, losses } = await read();
    expect(run?.run.tags).toEqual({ good: 'yes' });
    expect(losses).toMatchObject([{ code: 'KEY_NOT_ALLOWED', key: 'stolen' }]);
  });

  it('are not followed for all artifacts, wherever the link stands', async () => {
    await rm(at('artifacts'), { recursive: true });
    await symlink(join(dir, 'secret'), at('artifacts'));
    const beside = await read();
    expect(beside.run?.artifacts).toEqual([]);
    expect(beside.losses).toMatchObject([
      { code: 'ARTIFACTS_NOT_CARRIED', run_id: RUN, detail: expect.stringContaining('symbolic link') },
    ]);

    // The same behind a recorded path that looks like the run's own.
    await mkdir(join(dir, 'fake', RUN), { recursive: true });
    await symlink(join(dir, 'secret'), join(dir, 'fake', RUN, 'artifacts'));
    await writeFile(at('meta.yaml'), runMeta(RUN, `file://${dir}/fake/${RUN}/artifacts`));
    const recorded = await read();
    expect(recorded.losses).toMatchObject([{ code: 'ARTIFACTS_NOT_CARRIED' }]);

    // And behind a server's root beside the store.
    await mkdir(join(dir, 'store', 'mlartifacts'));
    await symlink(join(dir, 'secret'), join(dir, 'store', 'mlartifacts', 'x'));
    await writeFile(at('meta.yaml'), runMeta(RUN, 'mlflow-artifacts:/x'));
    const proxied = await read();
    expect(proxied.losses).toMatchObject([{ code: 'ARTIFACTS_NOT_CARRIED' }]);
  });

  it('that came after the listing are not followed either', async () => {
    const { reader } = await openStore(root);
    const selection = { experiments: [], runs: [RUN], view: 'all' } as const;
    for await (const experiment of reader.experiments(selection)) {
      for await (const run of reader.runs(experiment, selection)) {
        await rm(at('artifacts'), { recursive: true });
        await symlink(join(dir, 'secret'), at('artifacts'));
        await expect(run.open({ path: 'key', size: 13 })).rejects.toMatchObject({ code: 'SOURCE_ITEM' });
      }
    }
    expect.assertions(1);
  });

  it('are followed to the run’s own directory on another disk', async () => {
    const disk = join(dir, 'disk', RUN);
    await mkdir(disk, { recursive: true });
    await rename(at('artifacts'), join(disk, 'artifacts'));
    await symlink(join(disk, 'artifacts'), at('artifacts'));
    expect((await read()).run?.artifacts.map(([path]) => path)).toEqual(['good']);
    await rename(at(), join(dir, 'disk', 'moved'));
    await rm(join(dir, 'disk', RUN), { recursive: true });
    await rename(join(dir, 'disk', 'moved'), disk);
    await rm(join(disk, 'artifacts'), { force: true });
    await makeTree(disk, { 'artifacts/moved': 'yes' });
    await symlink(disk, at());
    const { run, losses, failures } = await read();
    expect(run?.artifacts.map(([path]) => path)).toEqual(['moved']);
    expect([losses, failures]).toEqual([[], []]);
  });
});

describe('pipes and devices', () => {
  it('among artifacts, tags and metrics are left out, and that is said', async () => {
    await mkdir(at('metrics'));
    await pipe(at('artifacts', 'pipe'));
    await pipe(at('tags', 'pipe'));
    await pipe(at('metrics', 'pipe'));
    await symlink('/dev/zero', at('artifacts', 'zero'));
    const { run, losses, failures } = await read();
    expect(run?.artifacts.map(([path]) => path)).toEqual(['good']);
    expect(run?.run.tags).toEqual({ good: 'yes' });
    expect(failures).toEqual([]);
    expect(losses.map(({ code, key }) => `${code} ${key}`).sort()).toEqual([
      'ARTIFACTS_NOT_CARRIED pipe',
      'ARTIFACTS_NOT_CARRIED zero',
      'KEY_NOT_ALLOWED pipe',
      'KEY_NOT_ALLOWED pipe',
    ]);
  });

  it.each(['pipe', 'device', 'directory'])(
    'in the place of meta.yaml are a failure of that run: %s',
    async (what) => {
      await rm(at('meta.yaml'));
      if (what === 'pipe') await pipe(at('meta.yaml'));
      else if (what === 'device') await symlink('/dev/zero', at('meta.yaml'));
      else await mkdir(at('meta.yaml'));
      const { workspace, failures } = await read();
      expect(workspace[0]?.runs.map(({ run }) => run.run_id)).toEqual([OTHER]);
      expect(failures).toMatchObject([{ code: 'SOURCE_ITEM', object: expect.stringContaining(RUN) }]);
    },
  );

  it('that took the place of an artifact since it was listed are not waited for', async () => {
    const { reader } = await openStore(root);
    const selection = { experiments: [], runs: [RUN], view: 'all' } as const;
    for await (const experiment of reader.experiments(selection)) {
      for await (const run of reader.runs(experiment, selection)) {
        await rm(at('artifacts', 'good'));
        await pipe(at('artifacts', 'good'));
        await expect(run.open({ path: 'good', size: 3 })).rejects.toMatchObject({ code: 'SOURCE_ITEM' });
      }
    }
    expect.assertions(1);
  });
});
