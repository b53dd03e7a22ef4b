import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { selectionAt } from '../../src/places/open.ts';
import { placeAt } from '../../src/places/registry.ts';
import { mlferry } from './mlferry.ts';

const SAMPLES = 'samples/mlruns';

let directory = '';
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'mlferry-places-'));
});
afterEach(() => rm(directory, { recursive: true, force: true }));

describe('addresses of pages of MLflow’s UI', () => {
  it.each([
    ['http://h:5000/#/experiments/12', { experiments: ['12'] }],
    ['http://h:5000/prefix/#/experiments/12?searchFilter=&orderByKey=x', { experiments: ['12'] }],
    ['http://h/#/experiments/12/runs/ab01/artifacts/model', { runs: ['ab01'] }],
    ['http://h/#/runs/ab01', { runs: ['ab01'] }],
    ['http://h/#/compare-runs?runs=[%22a%22,%22b%22]&experiments=[%221%22]', { runs: ['a', 'b'] }],
    ['http://h/#/experiments', {}],
    ['http://h/#/models/name', {}],
    ['http://h', {}],
  ])('%s chooses what it shows', (address, chosen) => {
    expect(selectionAt(address)).toEqual({ experiments: [], runs: [], view: 'active', ...chosen });
    expect(placeAt(address).identity()).not.toContain('#');
  });

  it('choose nothing where something is chosen', () => {
    expect(selectionAt('http://h/#/experiments/1', { runs: ['x'], view: 'all' })).toEqual({
      experiments: [],
      runs: ['x'],
      view: 'all',
    });
  });

  it('are nothing to write to and nothing to change', async () => {
    for (const command of [
      ['copy', SAMPLES, 'http://localhost:9/#/experiments/1'],
      ['runs', 'delete', 'http://localhost:9/#/experiments/1', '-f', 'metrics.a > 1', '-y'],
    ]) {
      const { err, status } = await mlferry(command, directory);
      expect(err).toContain('is a page about an experiment or run');
      expect(status).toBe(2);
    }
  });
});

describe('mistyped places', () => {
  it('a server without a scheme is told which', async () => {
    const { err, status } = await mlferry(['inspect', 'localhost:5000'], directory);
    expect(err).toContain('http://localhost:5000');
    expect(status).toBe(2);
  });

  it.each([
    ['B', './B'],
    ['out.zip', '.tar'],
    ['./some/where/out.json', '.ndjson'],
  ])('%s is not made without a word', async (target, hint) => {
    const { err, status } = await mlferry(['copy', SAMPLES, target], directory);
    expect(err).toContain(hint);
    expect(status).toBe(2);
    expect(existsSync(target)).toBe(false);
  });

  it('a file: path is relative as in MLflow', async () => {
    expect((await mlferry(['inspect', `file:./${SAMPLES}`], directory)).status).toBe(0);
  });

  it('a directory that holds only artifacts of a database is told as such, and no archive is left', async () => {
    const database = join(directory, 'mlflow.db');
    await writeFile(database, 'SQLite format 3\0 and more');
    await mkdir(join(directory, 'mlruns/1/abc/artifacts'), { recursive: true });
    const archive = join(directory, 'a.tar');
    for (const place of [join(directory, 'mlruns'), directory]) {
      const { err, status } = await mlferry(['backup', place, archive], directory);
      expect(err).toContain(`its runs are in the database ${database}`);
      expect(status).toBe(2);
      expect(existsSync(archive)).toBe(false);
    }
  });

  it('a directory of nothing that can be read leaves no archive', async () => {
    await mkdir(join(directory, 'mlruns/1/abc'), { recursive: true });
    const archive = join(directory, 'a.tar');
    const { status } = await mlferry(['backup', join(directory, 'mlruns'), archive], directory);
    expect(status).toBe(3);
    expect(existsSync(archive)).toBe(false);
  });
});

describe('--json', () => {
  it.each([
    [['inspect', '/nowhere', '--json'], 2, 'LOCATION'],
    [['inspect', 'sqlite:///nowhere.db', '--json'], 2, 'LOCATION'],
    [['copy', SAMPLES, '--json'], 2, 'USAGE'],
    [['copy', SAMPLES, 'http://127.0.0.1:9', '--json', '--nonsense'], 2, 'USAGE'],
    [['runs', 'list', SAMPLES, '-f', 'x =', '--json'], 2, 'EXPRESSION'],
  ])('%j fails with one JSON object', async (command, exit_status, code) => {
    const { out, err, status } = await mlferry(command, directory);
    expect(JSON.parse(out)).toMatchObject({ error: { code, message: expect.any(String) }, exit_status });
    expect(err).toContain(code);
    expect(status).toBe(exit_status);
  });

  it.each([
    [['export', '/nowhere', '-', '--json']],
    [['export', '/nowhere', '--json']],
    [['--log-file', 'LOG', 'copy', '--json', '/nowhere', '-']],
    [['copy', '/nowhere', '-e', 'x', '-', '--json']],
    [['copy', '/nowhere', '-', '--json', '--nonsense']],
  ])('%j keeps a stream on stdout free of it', async (args) => {
    const words = args.map((word) => (word === 'LOG' ? join(directory, 'log') : word));
    const { out, err } = await mlferry(words, directory);
    expect(out).toBe('');
    expect(err).toContain('"exit_status":2');
  });

  it.each([
    [['--log-file', 'LOG', 'import', '-', '/no/directory.tar.d', '--json']],
    [['import', '--concurrency', '4', '-', '/no/directory.tar.d', '--json']],
    [['--log-file', 'LOG', 'verify', '-', '--json']],
    [['runs', 'list', 'samples/mlruns', '-e', '-', '-f', 'x =', '--json']],
    [['copy', '--bandwidth', '1M', '-', '/no', '--json', '--nonsense']],
  ])('%j has it on stdout, where a dash is stdin or a value', async (args) => {
    const words = args.map((word) => (word === 'LOG' ? join(directory, 'log') : word));
    const { out, status } = await mlferry(words, directory);
    expect(JSON.parse(out)).toMatchObject({ exit_status: status });
    expect(status).not.toBe(0);
  });
});

it('mlferry alone is its help', async () => {
  const { out, err, status } = await mlferry([], directory);
  expect(out).toContain('Usage: mlferry');
  expect([err, status]).toEqual(['', 0]);
});
