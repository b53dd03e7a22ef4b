import { spawnSync } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { Writable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { print } from '../../src/cli/run-artifacts.ts';
import { CLI, ENVIRONMENT } from '../acceptance/run-mlferry.ts';
import { mlferry } from './mlferry.ts';

const RUN = '0123456789abcdef0123456789abcdef';
const OTHER = '0133456789abcdef0123456789abcdef';
const FILES: Readonly<Record<string, Buffer>> = {
  'notes.txt': Buffer.from('ein Gruß\n\u001b[31mrot\u202e\n'),
  'empty.bin': Buffer.alloc(0),
  'model/MLmodel': Buffer.from('flavors: {}\n'),
  'model/data/weights.bin': randomBytes(300_000),
  'sub dir/ü/名前.txt': Buffer.from('odd'),
};

const sha256 = (bytes: string | Buffer) => createHash('sha256').update(bytes).digest('hex');
const HASHES = Object.fromEntries(Object.entries(FILES).map(([path, bytes]) => [path, sha256(bytes)]));

let directory: string;
const at = (name: string) => join(directory, name);
const call = (args: readonly string[]) => mlferry(args, directory);

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'mlferry-artifacts-cli-'));
  await mkdir(at('mlruns/1'), { recursive: true });
  await writeFile(
    at('mlruns/1/meta.yaml'),
    `artifact_location: ''\nexperiment_id: '1'\nlifecycle_stage: active\nname: one\n`,
  );
  for (const run of [RUN, OTHER]) {
    for (const [path, bytes] of Object.entries(run === RUN ? FILES : { 'one.txt': '1' })) {
      const file = at(`mlruns/1/${run}/artifacts/${path}`);
      await mkdir(dirname(file), { recursive: true });
      await writeFile(file, bytes);
    }
    await writeFile(
      at(`mlruns/1/${run}/meta.yaml`),
      `artifact_uri: ''\nexperiment_id: '1'\nlifecycle_stage: ${run === RUN ? 'deleted' : 'active'}\nrun_id: ${run}\nrun_name: a\nstart_time: 1\nend_time: 2\nstatus: 3\nuser_id: u\n`,
    );
  }
  await call(['backup', at('mlruns'), at('all.tar.zst'), '--view', 'all']);
  await call(['export', at('mlruns'), at('all.ndjson'), '--view', 'all', '--artifacts-dir', at('bytes')]);
});
afterAll(() => rm(directory, { recursive: true, force: true }));

/** Path → sha256 of all files below a directory. */
async function filesBelow(root: string): Promise<Record<string, string>> {
  const entries = await readdir(root, { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
  const read = async (file: string) => [file.slice(root.length + 1), sha256(await readFile(file))] as const;
  return Object.fromEntries(await Promise.all(files.map(read)));
}

const PLACES = [
  ['an mlruns directory', 'mlruns', []],
  ['an archive', 'all.tar.zst', []],
  ['a stream', 'all.ndjson', ['--artifacts-dir', 'bytes']],
] as const;

describe.each(PLACES)('the files of a run in %s', (_, name, options) => {
  const withPlace = (...words: string[]) => [
    words[0] ?? '',
    words[1] ?? '',
    at(name),
    ...words.slice(2),
    ...options.map((word) => (word === 'bytes' ? at(word) : word)),
  ];

  it('are listed with sizes, by directory or all', async () => {
    const { out, status } = await call(withPlace('artifacts', 'ls', '012'));
    expect(status).toBe(0);
    expect(out.split('\n').map((line) => line.replace(/\s+/g, ' ').trim())).toEqual([
      'size files path',
      '0 B empty.bin',
      '300.0 kB 2 model/',
      `${FILES['notes.txt']?.length} B notes.txt`,
      '3 B 1 sub dir/',
      '',
    ]);
    const all = await call(withPlace('artifacts', 'ls', `runs:/${RUN}`, '--recursive', '--json'));
    const list = JSON.parse(all.out);
    expect(list).toMatchObject({ kind: 'run', id: RUN, path: '', losses: [], failures: [], exit_status: 0 });
    expect(
      Object.fromEntries(
        list.artifacts.map(({ path, size }: { path: string; size: number }) => [path, size]),
      ),
    ).toEqual(Object.fromEntries(Object.entries(FILES).map(([path, { length }]) => [path, length])));
    const below = await call(withPlace('artifacts', 'ls', RUN, './model/', '--json'));
    expect(JSON.parse(below.out).artifacts).toMatchObject([
      { path: 'model/MLmodel', type: 'file', size: 12 },
      { path: 'model/data', type: 'directory', size: 300_000, files: 1 },
    ]);
  });

  it('are brought byte for byte: one, a directory, all', async () => {
    const out = at(`out-${name}`);
    expect(await call(withPlace('artifacts', 'get', RUN, '-o', out))).toMatchObject({ status: 0, out: '' });
    expect(await filesBelow(out)).toEqual(HASHES);
    await call(withPlace('artifacts', 'get', `runs:/${RUN}/model`, 'data', '-o', join(out, 'deep/er')));
    expect(await filesBelow(join(out, 'deep/er'))).toEqual({
      'model/data/weights.bin': HASHES['model/data/weights.bin'],
    });
  });

  it('never take the place of others, unless they are told to', async () => {
    const out = at(`kept-${name}`);
    await mkdir(join(out, 'model'), { recursive: true });
    await writeFile(join(out, 'model/MLmodel'), 'mine');
    const refused = await call(withPlace('artifacts', 'get', RUN, '-o', out));
    expect(refused.status).toBe(8);
    expect(refused.err).toMatch(/error CONFLICT: .*"model\/MLmodel".*--force/);
    expect(await filesBelow(out)).toEqual({ 'model/MLmodel': sha256('mine') });
    expect((await call(withPlace('artifacts', 'get', RUN, '-o', out, '--force'))).status).toBe(0);
    expect(await filesBelow(out)).toEqual(HASHES);
  });

  it('go to stdout one by one, and directories do not', async () => {
    const { out, status } = await call(withPlace('artifacts', 'cat', RUN, 'notes.txt'));
    expect(status).toBe(0);
    expect(out).toBe(FILES['notes.txt']?.toString());
    const folder = await call(withPlace('artifacts', 'cat', RUN, 'model'));
    expect(folder).toMatchObject({ out: '', status: 2 });
    expect(folder.err).toContain('"model" is a directory');
  });
});

it('files that are there already, by their sha256, are left as they are', async () => {
  const out = at('twice');
  const get = ['artifacts', 'get', at('all.tar.zst'), RUN, '-o', out, '--json'];
  await call([...get, 'model']);
  const outcomes = JSON.parse((await call(get)).out).artifacts.map(
    ({ path, outcome }: { path: string; outcome: string }) => `${path} ${outcome}`,
  );
  expect(outcomes).toEqual([
    'empty.bin written',
    'model/MLmodel unchanged',
    'model/data/weights.bin unchanged',
    'notes.txt written',
    'sub dir/ü/名前.txt written',
  ]);
});

it('a link out of the directory is not followed, and costs what lies behind it', async () => {
  const [out, outside] = [at('linked'), at('outside')];
  await mkdir(out);
  await mkdir(outside);
  await symlink(outside, join(out, 'model'));
  const { err, status } = await call(['artifacts', 'get', at('all.tar.zst'), RUN, '-o', out]);
  expect(status).toBe(3);
  expect(err).toContain('artifact "model/MLmodel": A link on the way leads out of the directory');
  expect(await readdir(outside)).toEqual([]);
  expect(Object.keys(await filesBelow(out)).toSorted()).toEqual([
    'empty.bin',
    'notes.txt',
    'sub dir/ü/名前.txt',
  ]);
});

it('bytes that are not those that were recorded are left out, and the exit status tells', async () => {
  const hash = HASHES['model/data/weights.bin'] ?? '';
  const stored = at(`bytes/sha256/${hash.slice(0, 2)}/${hash.slice(2)}`);
  const whole = await readFile(stored);
  try {
    await writeFile(stored, Buffer.alloc(whole.length));
    const stream = [at('all.ndjson'), RUN, '--artifacts-dir', at('bytes')];
    const got = await call(['artifacts', 'get', ...stream, '-o', at('damaged')]);
    expect(got.status).toBe(3);
    expect(got.err).toContain('artifact "model/data/weights.bin"');
    expect(Object.keys(await filesBelow(at('damaged'))).toSorted()).toEqual(
      Object.keys(FILES)
        .filter((path) => !path.endsWith('.bin') || path === 'empty.bin')
        .toSorted(),
    );
    expect((await call(['artifacts', 'cat', ...stream, 'model/data/weights.bin'])).status).toBe(3);
  } finally {
    await writeFile(stored, whole);
  }
});

it('a stream without its bytes says so of each file', async () => {
  const got = await call(['artifacts', 'get', at('all.ndjson'), OTHER, '-o', at('none')]);
  expect(got.status).toBe(3);
  expect(got.err).toContain('artifact "one.txt": The place names the file and does not give its bytes');
  expect(got.err).toContain('--artifacts-dir');
  expect((await call(['artifacts', 'cat', at('all.ndjson'), OTHER, 'one.txt'])).status).toBe(3);
});

it.each([
  ['a run that is not there', ['ls', 'abcdef'], 6, 'run "abcdef"'],
  ['a beginning that fits two', ['ls', '01'], 2, '2 runs begin with 01'],
  ['a path that is not there', ['get', RUN, 'notes.text'], 6, 'did you mean "notes.txt"?'],
  ['a path that leads out', ['cat', RUN, '../../meta.yaml'], 6, 'has no file or directory'],
  ['a logged model that is not there', ['ls', 'm-0123'], 6, 'm-0123'],
  ['a registered model that is not there', ['ls', 'models:/churn/1'], 6, 'no such registered model'],
])('%s is an error', async (_, [verb = '', ...words], status, text) => {
  const ended = await call(['artifacts', verb, at('all.tar.zst'), ...words]);
  expect(ended).toMatchObject({ status, out: '' });
  expect(ended.err).toContain(text);
});

it('bytes arrive as they are', () => {
  const args = ['artifacts', 'cat', at('all.tar.zst'), RUN, 'model/data/weights.bin'];
  const { stdout, status } = spawnSync(process.execPath, [CLI, ...args], { env: ENVIRONMENT });
  expect(status).toBe(0);
  expect(sha256(stdout)).toBe(HASHES['model/data/weights.bin']);
});

it('a program that reads no further ends it quietly', () => {
  const script = `"$0" "$1" artifacts cat "$2" ${RUN} model/data/weights.bin | head -c 10 | wc -c; echo "\${PIPESTATUS[0]}"`;
  const command = ['-c', script, process.execPath, CLI, at('mlruns')];
  const { stdout, stderr } = spawnSync('bash', command, { encoding: 'utf8', env: ENVIRONMENT });
  expect(stdout).toBe('10\n141\n');
  expect(stderr).toBe('');
});

it('a terminal is sent nothing that could control it', async () => {
  let shown = '';
  const write = (chunk: Buffer, _: string, done: () => void) => {
    shown += chunk.toString();
    done();
  };
  const stdout = Object.assign(new Writable({ write }), { isTTY: true });
  const bytes = FILES['notes.txt'] ?? Buffer.alloc(0);
  async function* halves() {
    // In the middle of a character.
    yield bytes.subarray(0, 8);
    yield bytes.subarray(8);
  }
  await print(halves(), { stdout });
  expect(shown).toBe('ein Gruß\n\ufffd[31mrot\ufffd\n');
});

it('runs of mlflow-export-import are read too', async () => {
  const place = fileURLToPath(new URL('../fixtures/export-import/2026-01', import.meta.url));
  const listed = await call(['runs', 'list', place, '--ndjson', '--columns', 'run_id']);
  const runs = [...listed.out.matchAll(/[0-9a-f]{32}/g)].map(([id]) => id);
  const lists = await Promise.all(runs.map((run) => call(['artifacts', 'ls', place, run, '-R', '--json'])));
  const sizes = lists.map(({ out }) => JSON.parse(out).artifacts.length);
  expect(Math.max(...sizes)).toBeGreaterThan(0);
});

it('files are completed on the command line', async () => {
  const words = ['artifacts', 'cat', at('mlruns'), RUN, 'model/'];
  const { out } = await call(['complete', '--', ...words]);
  expect(out).toContain('model/MLmodel');
  expect(out).toContain('model/data/');
  expect(out).not.toContain('notes.txt');
});
