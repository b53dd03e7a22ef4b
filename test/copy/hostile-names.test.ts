import { mkdir, mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { copy } from '../../src/copy/copy.ts';
import { copyBetween } from '../../src/copy/copy-between.ts';
import { createLedger } from '../../src/job/ledger.ts';
import { ALL_PARTS } from '../../src/kinds/parts.ts';
import { openReader, openWriter } from '../../src/places/open.ts';
import { memoryReader } from '../contract/memory-reader.ts';
import {
  makeExperiment,
  makeRun,
  readerOptions,
  readWorkspace,
  testOptions,
} from '../places/memory-workspace.ts';
import { startFake, status } from '../places/server/fake-server.ts';

/** Whatever a source calls its files, keys and ids, nothing is written outside the target. */

const BAD = [
  ...['../up', '../../up', 'a/../../up', '..', 'a/..', '/tmp/up', '//up', 'C:/up', 'c:\\up', '\\\\host\\up'],
  ...['a\\..\\..\\up', 'nul\0', 'a//b', './a', 'a/.', 'a/', `${'d/'.repeat(3000)}x`],
];
const RESERVED = [
  'CON',
  'con.txt',
  'a b ',
  'tail.',
  'a:b',
  'x'.repeat(250),
  '-rf',
  '~',
  '$HOME',
  '%2e%2e/up',
  '#',
  '?',
];
const CLASHING = ['clash', 'clash/below', 'Case', 'case', 'é', 'e\u0301'];

let outer: string;
let dir: string;
beforeEach(async () => {
  outer = await mkdtemp(join(tmpdir(), 'hostile-names-'));
  dir = join(outer, 'a', 'b', 'c');
  await mkdir(dir, { recursive: true });
});
afterEach(() => rm(outer, { recursive: true, force: true }));

async function nothingOutside(target: string): Promise<void> {
  const names = await readdir(outer, { recursive: true });
  expect(names.filter((name) => !/^a(\/b(\/c)?)?$/.test(name) && !name.startsWith('a/b/c/'))).toEqual([]);
  const own = await readdir(dir);
  expect(own.filter((name) => ![target, 'artifacts', 'spool'].includes(name))).toEqual([]);
  expect(await readFile('/tmp/up').catch(() => 'not there')).toBe('not there');
}

const targets = ['target.tar', 'target.ndjson', 'mlruns'];

async function readBack(target: string) {
  const { options } = readerOptions(dir, { artifactsDir: join(dir, 'artifacts') });
  const workspace = await readWorkspace(await openReader(join(dir, target), options));
  const runs = workspace.flatMap((each) => each.runs);
  return runs.map(({ run, artifacts }) => ({ run, paths: artifacts.map(([path]) => path).sort() }));
}

describe.each(targets)('%s', (target) => {
  it('holds none of the files that a server would put elsewhere; each is a failure', async () => {
    const info = {
      run_id: '1'.repeat(32),
      experiment_id: '1',
      status: 'FINISHED',
      lifecycle_stage: 'active',
    };
    const fake = await startFake(({ path, query }) => {
      if (path.endsWith('/experiments/search'))
        return { json: { experiments: [{ experiment_id: '1', name: 'e', lifecycle_stage: 'active' }] } };
      if (path.endsWith('/runs/search'))
        return { json: { runs: [{ info: { ...info, artifact_uri: 's3://b/x' } }] } };
      if (path.endsWith('/artifacts/list') && !query.has('path'))
        return {
          json: { files: [...BAD, 'good'].map((name) => ({ path: name, is_dir: false, file_size: 3 })) },
        };
      if (path === '/get-artifact') return status(200, 'yes');
      return undefined;
    });
    const { report } = await copyBetween(fake.url.href, join(dir, target), {
      artifactsDir: join(dir, 'artifacts'),
    });
    expect(report).toMatchObject({ exit_status: 3, runs: { created: 1, failed: 0 } });
    expect(report.failures).toHaveLength(BAD.length);
    expect(new Set(report.failures.map(({ code }) => code))).toEqual(new Set(['SOURCE_ITEM']));
    expect(fake.to('/get-artifact').map(({ query }) => query.get('path'))).toEqual(['good']);
    await nothingOutside(target);
    expect(await readBack(target)).toMatchObject([{ paths: ['good'] }]);
  });

  it('holds none of those that any other source would; each is a loss', async () => {
    const names = [...BAD, ...RESERVED, ...CLASHING];
    const run = await makeRun(
      { run_id: '../../up', params: { '../up': 'x', '/tmp/up': 'x' }, tags: { '../../../up': 'x' } },
      [
        ['../up', [[0, 0, 1]]],
        ['a/../../up', [[0, 0, 1]]],
      ],
      names.map((name) => [name, Buffer.from(name)]),
    );
    const experiment = makeExperiment({ name: '../../up' });
    const ledger = createLedger();
    const selection = { experiments: [], runs: [], view: 'all' } as const;
    const made = testOptions(dir, { artifactsDir: join(dir, 'artifacts'), selection });
    const writer = await openWriter(join(dir, target), { ...made.options, findings: ledger });
    const { report } = await copy(memoryReader([{ experiment, runs: [run] }]), writer, {
      ...{ selection, ledger, concurrency: 4, rename: [], dryRun: false },
      signal: new AbortController().signal,
      parts: ALL_PARTS,
    });
    expect(report).toMatchObject({ exit_status: 3, runs: { created: 1, failed: 0 }, failures: [] });
    await nothingOutside(target);
    const [found] = await readBack(target);
    const left = report.losses.flatMap(({ code, key }) => (code === 'ARTIFACT_NAME' ? [key ?? ''] : []));
    expect(left).toEqual(expect.arrayContaining(BAD));
    // Nothing vanished: each name is there with its own bytes, or said to be left out.
    const own = (found?.paths ?? []).filter((path) => !path.startsWith('mlferry/'));
    expect([...own, ...left].sort()).toEqual([...names].sort());
    // A directory cannot hold a file and a directory of one name; records can.
    expect(left.filter((name) => CLASHING.includes(name))).toEqual(
      target === 'mlruns' ? ['clash/below'] : [],
    );
  });
});
