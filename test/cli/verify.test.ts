import { appendFile, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { mlferry as mlferryIn } from './mlferry.ts';

const SAMPLES = 'samples/mlruns';
const RUN = join('138509036289544675', '5071950eadec4f11bd836e77af67d461');

let directory = '';
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'mlferry-cli-verify-'));
});
afterEach(async () => {
  await rm(directory, { recursive: true, force: true });
});

const mlferry = (...args: string[]) => mlferryIn(args, directory);

describe('mlferry verify', () => {
  test('one place: sound, or what could not be read', async () => {
    const sound = await mlferry('verify', 'samples/backup.tar');
    expect(sound).toMatchObject({ status: 0, err: '' });
    expect(sound.out).toMatch(/^Sound: samples\/backup.tar\n/);

    const store = join(directory, 'mlruns');
    await mlferry('copy', SAMPLES, store);
    await appendFile(join(store, RUN, 'metrics', 'train', 'loss'), 'no point\n');
    const damaged = await mlferry('verify', store);
    expect(damaged.status).toBe(3);
    expect(damaged.out).toMatch(/^! run 5071950eadec4f11bd836e77af67d461 .*train\/loss.*\n/);
    expect(damaged.out).toContain('\nNot sound: ');
  });

  test('a cut archive is refused as damaged', async () => {
    const archive = join(directory, 'cut.tar');
    await writeFile(archive, 'short');
    const { status, err } = await mlferry('verify', archive);
    expect(status).toBe(5);
    expect(err).toMatch(/^error (TRUNCATED|CORRUPT|HOSTILE|FORMAT): /);
  });

  test('two places: a line for each run that differs, its fields below, exit 4', async () => {
    const store = join(directory, 'mlruns');
    await mlferry('copy', SAMPLES, store);
    await writeFile(join(store, RUN, 'params', 'epochs'), '61');
    await writeFile(join(store, RUN, 'artifacts', 'new.txt'), 'x');
    const { out, err, status } = await mlferry('verify', SAMPLES, store);
    expect(status).toBe(4);
    expect(err).toBe('');
    const lines = out.split('\n');
    expect(lines[0]).toMatch(/^\* run 5071950eadec4f11bd836e77af67d461 ".*" of experiment ".*"$/);
    expect(lines[1]).toBe('    params.epochs: "60" / "61"');
    expect(lines[2]).toBe('    artifacts new.txt: nothing / "1 bytes"');
    expect(out).toContain(`Not the same: ${SAMPLES} → ${store}`);
    expect(
      (await mlferry('verify', SAMPLES, store, '-q')).out.split('\n').filter((line) => line !== ''),
    ).toHaveLength(3);
  });

  test('an unreadable copy is neither the same nor missing', async () => {
    const store = join(directory, 'mlruns');
    await mlferry('copy', SAMPLES, store);
    await writeFile(join(store, RUN, 'meta.yaml'), 'not: a run');
    const { out, status } = await mlferry('verify', SAMPLES, store, '--json');
    expect(status).toBe(3);
    expect(JSON.parse(out)).toMatchObject({
      items: [{ symbol: '!', kind: 'run' }],
      runs: { unreadable: 1, only_in_source: 0 },
      exit_status: 3,
    });
  });

  test('an unreadable source run does not make its copy one too many', async () => {
    const source = join(directory, 'source', 'mlruns');
    const store = join(directory, 'mlruns');
    await mlferry('copy', SAMPLES, source);
    await mlferry('copy', source, store);
    await writeFile(join(source, RUN, 'meta.yaml'), 'not: a run');
    const { out, status } = await mlferry('verify', source, store, '--json');
    expect(JSON.parse(out)).toMatchObject({
      items: [{ symbol: '!', kind: 'run' }],
      runs: { unreadable: 1, only_in_target: 0, unselected: 1 },
    });
    expect(status).toBe(3);
  });

  test('--json is one object, --all lists what is the same', async () => {
    const { out, status } = await mlferry(
      'verify',
      SAMPLES,
      'samples/backup.tar',
      '--all',
      '--json',
      '--view',
      'all',
    );
    expect(status).toBe(0);
    const report: unknown = JSON.parse(out);
    expect(report).toMatchObject({
      from: { kind: 'filestore' },
      to: { kind: 'archive' },
      quick: false,
      exit_status: 0,
      loss_counts: {},
    });
    expect(out.match(/"symbol":"="/g)?.length).toBe(14);
  });

  test('--rename and --into say where the copy is', async () => {
    const store = join(directory, 'mlruns');
    await mlferry('copy', SAMPLES, store, '--rename', '*=team/*');
    expect((await mlferry('verify', SAMPLES, store)).status).toBe(4);
    expect((await mlferry('verify', SAMPLES, store, '--rename', '*=team/*')).status).toBe(0);
    const one = join(directory, 'one', 'mlruns');
    await mlferry('copy', SAMPLES, one, '--into', 'all');
    expect((await mlferry('verify', SAMPLES, one, '--into', 'all')).status).toBe(0);
  });
});

describe('--verify of a copy', () => {
  test('compares at the end; the worse status counts', async () => {
    const store = join(directory, 'mlruns');
    const first = await mlferry('copy', SAMPLES, store, '--verify');
    expect(first).toMatchObject({ status: 0, out: '' });
    expect(first.err).toContain(`Same: ${SAMPLES} → ${store}`);

    await writeFile(join(store, RUN, 'artifacts', 'new.txt'), 'x');
    const second = await mlferry('copy', SAMPLES, store, '--verify', '--json');
    expect(second.status).toBe(4);
    expect(JSON.parse(second.out)).toMatchObject({ exit_status: 4, verification: { exit_status: 4 } });
  });

  test('what the copy itself reports is expected', async () => {
    const store = join(directory, 'mlruns');
    await mlferry('copy', SAMPLES, store);
    await writeFile(join(store, RUN, 'params', 'epochs'), '61');
    await rm(join(store, RUN, 'tags', 'mlferry.digest'));
    const again = await mlferry('copy', SAMPLES, store, '--verify', '--json');
    expect(JSON.parse(again.out)).toMatchObject({
      loss_counts: { VALUE_CONFLICT: 1 },
      verification: { items: [] },
      exit_status: 0,
    });
    expect((await mlferry('verify', SAMPLES, store)).status).toBe(4);
  });

  test('a pipe cannot be verified', async () => {
    const { status, err } = await mlferry('export', SAMPLES, '-', '--verify');
    expect(status).toBe(2);
    expect(err).toContain('--verify');
  });
});
