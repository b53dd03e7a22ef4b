import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openInOwnRoot } from '../../src/artifacts/local/own-root.ts';
import { openArtifactSink } from '../../src/artifacts/open-sink.ts';
import { artifactStores } from '../../src/artifacts/stores.ts';

/** A server names directories of this machine: only a run's own root is read from or written to. */

const RUN = 'a'.repeat(32);
let dir: string;
let own: string;
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'local-roots-'));
  own = join(dir, '1', RUN, 'artifacts');
  await mkdir(own, { recursive: true });
  await mkdir(join(dir, 'home', 'b', 'artifacts'), { recursive: true });
  await writeFile(join(own, 'file'), 'yes');
  await writeFile(join(dir, 'home', 'key'), 'canary');
  await writeFile(join(dir, 'home', 'b', 'artifacts', 'key'), 'canary');
  await symlink(join(dir, 'home', 'key'), join(own, 'link'));
  await promisify(execFile)('mkfifo', [join(own, 'pipe')]);
  await mkdir(join(dir, '2', RUN), { recursive: true });
  await symlink(join(dir, 'home', 'b', 'artifacts'), join(dir, '2', RUN, 'artifacts'));
});
afterAll(() => rm(dir, { recursive: true, force: true }));

describe('openInOwnRoot', () => {
  it('gives a file of the run', async () => {
    const body = await openInOwnRoot(own, RUN, { path: 'file' });
    expect(String(Buffer.concat((await body?.toArray()) ?? []))).toBe('yes');
  });

  it.each<[string, () => string, string]>([
    ['another directory', () => join(dir, 'home'), 'key'],
    ['another run', () => join(dir, 'home', 'b', 'artifacts'), 'key'],
    ['a root that is a link elsewhere', () => join(dir, '2', RUN, 'artifacts'), 'key'],
    ['a link out of the root', () => own, 'link'],
    ['a path out of the root', () => own, '../../../home/key'],
    ['a pipe', () => own, 'pipe'],
    ['a directory', () => own, '.'],
    ['a device', () => '/dev', 'zero'],
    ['nothing', () => own, 'none'],
  ])('gives nothing of %s', async (_, root, path) => {
    expect(await openInOwnRoot(root(), RUN, { path })).toBeUndefined();
  });
});

describe('openArtifactSink', () => {
  const server = {
    proxy: {
      host: '127.0.0.1:5000',
      url: 'http://127.0.0.1:5000/api/2.0/mlflow-artifacts/artifacts',
      put: async () => undefined,
    },
    stores: artifactStores({}, new AbortController().signal),
  };

  it('is the disk for the run’s own root', async () => {
    expect((await openArtifactSink(own, RUN, server))?.kind).toBe('local');
    expect((await openArtifactSink(`file://${own}`, RUN, server))?.kind).toBe('local');
  });

  it.each<[string, () => string]>([
    ['a home directory', () => join(dir, 'home')],
    ['another run’s root', () => join(dir, '1', 'b'.repeat(32), 'artifacts')],
    ['a root with ".." in it', () => `${dir}/1/${RUN}/artifacts/../../../home`],
    ['the root directory', () => '/'],
    ['a system directory', () => '/etc'],
    ['a proxy of another host', () => 'mlflow-artifacts://elsewhere/1/x'],
    ['a proxy with other credentials', () => 'mlflow-artifacts://u:p@127.0.0.1:5000/1/x'],
    ['a URL of another host', () => 'http://elsewhere/api/2.0/mlflow-artifacts/artifacts/1/x'],
  ])('is nothing for %s', async (_, uri) => {
    expect(await openArtifactSink(uri(), RUN, server)).toBeUndefined();
  });

  it('never writes out of a root', async () => {
    const sink = await openArtifactSink(own, RUN, server);
    for (const path of ['../x', '/x', 'a/../../x', 'a//x', './x', '', 'nul\0', '..', 'a/..'])
      expect(sink?.keepsName(path), path).toBe(false);
  });
});
