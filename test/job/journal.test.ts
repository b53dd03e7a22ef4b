import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type JobIdentity, jobId, placeName } from '../../src/job/job-identity.ts';
import { JOURNAL_FILE, openJournal } from '../../src/job/journal.ts';
import { readJournal } from '../../src/job/journal-lines.ts';

const run = (id: string) => ({ kind: 'run', id });

const identity: JobIdentity = {
  from: 'http://source',
  to: 'http://target',
  selection: { experiments: [], runs: [], view: 'active' },
  rename: [],
  into: null,
  parts: { metrics: true, artifacts: true },
  artifacts_dir: null,
};

let parent: string;
let count = 0;
beforeAll(async () => {
  parent = await mkdtemp(join(tmpdir(), 'mlferry-journal-'));
});
afterAll(() => rm(parent, { recursive: true, force: true }));

async function newDirectory(): Promise<string> {
  const directory = join(parent, String(count++));
  await mkdir(directory);
  return directory;
}

const opened = (directory: string, fingerprint = 'f') => openJournal(directory, 'abc', identity, fingerprint);

/** A process that writes a, starts b, and is killed. */
async function killedProcess(directory: string): Promise<void> {
  const journal = await opened(directory);
  await journal.experiment('1', '2');
  await journal.intent(run('a'));
  await journal.done(run('a'), 'A', 'digest');
  await journal.intent(run('b'));
  await journal.close();
}

describe('a journal', () => {
  it('tells the next process what the last one was about', async () => {
    const directory = await newDirectory();
    await killedProcess(directory);
    const journal = await opened(directory);
    expect(journal).toMatchObject({ resumed: true, earlier: { done: 1 } });
    expect(['a', 'b', 'c'].map((id) => journal.isInDoubt(run(id)))).toEqual([false, true, false]);
    await journal.end(3);
    await journal.close();
    const third = await opened(directory);
    expect(third.resumed).toBe(true);
    expect(third.isInDoubt(run('b'))).toBe(true);
    await third.done(run('b'), 'B', 'digest');
    await third.end(0);
    await third.close();
    expect(await readJournal(join(directory, JOURNAL_FILE))).toMatchObject({
      done: 2,
      end: { exit_status: 0 },
      unreadable: 0,
    });
  });

  it('begins anew after a finished process, and for another source', async () => {
    for (const [end, fingerprint] of [
      [0, 'f'],
      [undefined, 'another'],
    ] as const) {
      const directory = await newDirectory();
      await killedProcess(directory);
      const first = await opened(directory);
      if (end !== undefined) await first.end(end);
      await first.close();
      const next = await opened(directory, fingerprint);
      expect(next).toMatchObject({ resumed: false, earlier: { done: 0 } });
      expect(next.isInDoubt(run('b'))).toBe(false);
      await next.close();
      expect(await readdir(directory)).toEqual([JOURNAL_FILE]);
    }
  });

  it("keeps another version's open runs", async () => {
    const directory = await newDirectory();
    await killedProcess(directory);
    const path = join(directory, JOURNAL_FILE);
    const text = await readFile(path, 'utf8');
    await writeFile(path, text.replace(/"tool_version":"[^"]*"/, '"tool_version":"0.0.0"'));
    const next = await opened(directory);
    expect(next.resumed).toBe(false);
    expect(next.isInDoubt(run('b'))).toBe(true);
    await next.close();
    expect(await readdir(directory)).toEqual([JOURNAL_FILE]);
    const after = await opened(directory);
    expect(after.isInDoubt(run('b'))).toBe(true);
    await after.close();
  });

  it('drops a torn last line and goes on behind the last whole one, wherever it was cut', async () => {
    const directory = await newDirectory();
    const path = join(directory, JOURNAL_FILE);
    await killedProcess(directory);
    const whole = await readFile(path);
    const lines = whole.toString().split('\n').slice(0, -1);
    const firstEnd = whole.indexOf('\n') + 1;
    for (let length = firstEnd; length <= whole.length; length++) {
      await writeFile(path, whole.subarray(0, length));
      const kept = whole.subarray(0, length).toString().split('\n').length - 1;
      const journal = await opened(directory);
      const begun = kept >= 3;
      expect(journal).toMatchObject({ resumed: true, earlier: { done: kept >= 4 ? 1 : 0 } });
      expect(journal.isInDoubt(run('a'))).toBe(begun && kept < 4);
      await journal.end(3);
      await journal.close();
      const now = (await readFile(path, 'utf8')).split('\n');
      expect(now.slice(0, kept)).toEqual(lines.slice(0, kept));
      expect(now.slice(kept).map((line) => line.slice(0, 14))).toEqual([
        '{"kind":"start',
        '{"kind":"end",',
        '',
      ]);
    }
  });

  it('survives any damage: whole lines of ours count, all else is left out', async () => {
    const directory = await newDirectory();
    const path = join(directory, JOURNAL_FILE);
    await killedProcess(directory);
    const whole = await readFile(path);
    await fc.assert(
      fc.asyncProperty(
        fc.nat(whole.length),
        fc.nat(40),
        fc.uint8Array({ maxLength: 60 }),
        async (at, removed, inserted) => {
          await writeFile(
            path,
            Buffer.concat([whole.subarray(0, at), inserted, whole.subarray(at + removed)]),
          );
          const { length } = await readJournal(path);
          expect(length).toBeLessThanOrEqual(whole.length + inserted.length);
          const journal = await opened(directory);
          await journal.intent(run('z'));
          await journal.close();
          const next = await opened(directory);
          expect(next.isInDoubt(run('z'))).toBe(true);
          await next.close();
        },
      ),
      { numRuns: 100, seed: 4 },
    );
  });

  it('writes lines of many runs at once, each on the disk when its call returns', async () => {
    const directory = await newDirectory();
    const path = join(directory, JOURNAL_FILE);
    const journal = await opened(directory);
    const ids = Array.from({ length: 500 }, (_, index) => `run ${index}`);
    await Promise.all(
      ids.map(async (id) => {
        await journal.intent(run(id));
        expect((await readFile(path, 'utf8')).includes(`"${id}"`)).toBe(true);
        await journal.done(run(id), id, 'd');
      }),
    );
    await journal.close();
    expect(await readJournal(path)).toMatchObject({ done: 500, unreadable: 0 });
  });
});

describe('a job', () => {
  it('has an id of its own for each pair of places, selection and option, and the same for the same', () => {
    const ids = [
      identity,
      { ...identity, from: 'x' },
      { ...identity, to: 'x' },
      { ...identity, selection: { ...identity.selection, view: 'all' as const } },
      { ...identity, selection: { ...identity.selection, experiments: ['a'] } },
      { ...identity, rename: [{ from: 'a', to: 'b' }] },
      { ...identity, into: 'x' },
      { ...identity, parts: { metrics: false, artifacts: true } },
      { ...identity, artifacts_dir: 'x' },
    ].map(jobId);
    expect(new Set(ids).size).toBe(ids.length);
    const { view, ...rest } = identity.selection;
    expect(jobId({ ...identity, selection: { view, ...rest } })).toBe(ids[0]);
  });

  it('knows a place by one name, however it is written, and none for a pipe', () => {
    const same = ['http://Host:80/a', 'http://host/a/', 'http://user:secret@host/a?x=1'];
    expect(new Set(same.map(placeName))).toEqual(new Set(['http://host/a']));
    expect(placeName('http://host?workspace=a b')).toBe('http://host?workspace=a%20b');
    expect(placeName('-')).toBeUndefined();
    expect(placeName('x/../x.tar')).toBe(join(process.cwd(), 'x.tar'));
  });
});
