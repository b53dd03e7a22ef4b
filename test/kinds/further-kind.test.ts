import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { z } from 'zod';
import { copy } from '../../src/copy/copy.ts';
import { copyBetween } from '../../src/copy/copy-between.ts';
import { inspect } from '../../src/inspect/inspect.ts';
import { createLedger } from '../../src/job/ledger.ts';
import { createIdMap } from '../../src/kinds/id-map.ts';
import type { ObjectKind, ObjectRecord } from '../../src/kinds/kind.ts';
import { FORMAT_VERSION, FURTHER_KINDS } from '../../src/kinds/kinds.ts';
import { ALL_PARTS } from '../../src/kinds/parts.ts';
import { allReferencesOf, remapObject } from '../../src/kinds/remap-object.ts';
import { ALL_ACTIVE } from '../../src/model/selection.ts';
import type { ObjectReader, ObjectScope } from '../../src/places/objects.ts';
import { openReader, openWriter } from '../../src/places/open.ts';
import { MlferryError } from '../../src/util/errors.ts';
import { makeTempDir } from '../../src/util/temp-dir.ts';
import { verify } from '../../src/verify/verify.ts';
import { makeExperiment, makeRun, memoryRunReader, testOptions } from '../places/memory-workspace.ts';

/** A kind that no release has: everything that works for it works by the table. */
vi.mock('../../src/kinds/table.ts', async (original) => {
  const { KINDS } = z.object({ KINDS: z.array(z.unknown()) }).parse(await original());
  const { note } = await import('./note.ts');
  return { KINDS: [...KINDS, note] };
});

const RUN = '1'.repeat(32);
const OTHER = '2'.repeat(32);
const noteKind = (): ObjectKind => {
  const of = FURTHER_KINDS.at(-1);
  if (of === undefined) throw new Error('the table is not the one of this test');
  return of;
};

const noteRecord = (fields: Partial<Record<string, unknown>> = {}): ObjectRecord => ({
  kind: 'note',
  tags: { z: 'see runs:/1', a: `runs:/${RUN}/model` },
  note_id: 'n-1',
  experiment_id: '1',
  title: 'a note',
  about_runs: [RUN],
  ...fields,
});

function noteReader(record: ObjectRecord, files: Readonly<Record<string, string>> = {}): ObjectReader {
  return {
    of: noteKind(),
    record,
    artifacts: async function* () {
      for (const [path, text] of Object.entries(files)) yield { path, size: Buffer.byteLength(text) };
    },
    open: async ({ path }) => Readable.from([Buffer.from(files[path] ?? '')], { objectMode: false }),
  };
}

let directory: string;
beforeAll(async () => {
  directory = await makeTempDir();
});
afterAll(() => rm(directory, { recursive: true, force: true }));

/** Writes an archive or stream with one experiment, one run and these notes. */
async function write(path: string, notes: readonly ObjectReader[]) {
  const { options, losses } = testOptions(directory);
  const writer = await openWriter(path, options);
  const experiment = await writer.experiment(makeExperiment(), 'an experiment');
  const run = await makeRun({ run_id: RUN });
  await writer.run(memoryRunReader(run), { experiment, origin: 'f/1', digest: 'd', remap: () => run.run });
  const writeNote = writer.objects?.get('note');
  try {
    for (const note of notes)
      await writeNote?.(note, {
        origin: 'f/n',
        digest: 'd',
        inDoubt: false,
        remap: () => note.record,
        whole: async () => note.record,
      });
    await writer.finish();
  } catch (error) {
    await writer.abort();
    throw error;
  }
  return { path, losses };
}

const state = () => ({ tempDir: directory, environment: {} });

describe('a further kind', () => {
  it('makes the next format version, and has ids and references by the marks of its schema', () => {
    const of = noteKind();
    expect(FORMAT_VERSION).toBe(of.since);
    expect(allReferencesOf(of, noteRecord({ about_runs: [RUN, OTHER] }))).toEqual([
      { kind: 'experiment', id: '1' },
      { kind: 'run', id: RUN },
      { kind: 'run', id: OTHER },
      { kind: 'run', id: '1' },
      { kind: 'run', id: RUN },
    ]);
    const ids = createIdMap();
    ids.of('experiment').set('1', '77');
    ids.of('run').set(RUN, 'new');
    expect(remapObject(of, noteRecord({ about_runs: [RUN, OTHER] }), { id: 'n-9' }, ids)).toEqual(
      noteRecord({
        note_id: 'n-9',
        experiment_id: '77',
        about_runs: ['new', OTHER],
        tags: { z: 'see runs:/1', a: 'runs:/new/model' },
      }),
    );
  });

  it.each(['notes.tar', 'notes.ndjson'])(
    'stands in %s, is counted, sound, and the same there',
    async (name) => {
      const { path } = await write(join(directory, name), [
        noteReader(noteRecord(), { 'a.txt': 'text', 'b/c.txt': 'more' }),
        noteReader(noteRecord({ note_id: 'n-2', title: 'two' })),
      ]);
      const summary = await inspect(path, state());
      expect(summary.objects).toEqual({ notes: { count: 2, artifacts: 2, artifact_bytes: 8 } });
      const sound = await verify(path, undefined, state());
      expect(sound).toMatchObject({ exit_status: 0, objects: { notes: { same: 2 } } });

      const copy = join(directory, `copy-${name}`);
      const { report, ids } = await copyBetween(path, copy, state());
      expect(report).toMatchObject({
        // A stream of its own carries no bytes.
        exit_status: name.endsWith('.tar') ? 0 : 3,
        objects: { notes: { read: 2, created: 2, not_held: 0 } },
      });
      expect([...ids.of('note')]).toEqual([
        ['n-1', 'n-1'],
        ['n-2', 'n-2'],
      ]);
      expect(await verify(path, copy, state())).toMatchObject({
        exit_status: name.endsWith('.tar') ? 0 : 3,
        objects: { notes: { same: 2 } },
      });
    },
  );

  it('shows what is not the same', async () => {
    const from = await write(join(directory, 'from.tar'), [
      noteReader(noteRecord(), { 'a.txt': 'text' }),
      noteReader(noteRecord({ note_id: 'n-2' })),
    ]);
    const to = await write(join(directory, 'to.tar'), [
      noteReader(noteRecord({ title: 'another', tags: {} }), { 'a.txt': 'TEXT' }),
      noteReader(noteRecord({ note_id: 'n-3' })),
    ]);
    const report = await verify(from.path, to.path, state());
    expect(report.exit_status).toBe(4);
    expect(report.objects).toEqual({
      notes: { same: 0, only_in_source: 1, only_in_target: 1, different: 1, unreadable: 0 },
    });
    const [different] = report.items.filter(({ symbol }) => symbol === '*');
    expect(different?.differences.map(({ field }) => field).sort()).toEqual([
      'artifacts a.txt sha256',
      'tags.a',
      'tags.z',
      'title',
    ]);
  });

  it('is a loss where it cannot be held, without a line of code there, and is told by verify, too', async () => {
    const { path } = await write(join(directory, 'whole.tar'), [noteReader(noteRecord())]);
    const mlruns = join(directory, 'mlruns');
    const { report } = await copyBetween(path, mlruns, state());
    expect(report.objects).toMatchObject({ notes: { read: 1, created: 0, not_held: 1 } });
    expect(report.losses).toContainEqual(
      expect.objectContaining({ code: 'KIND_NOT_HELD', key: 'note', count: 1 }),
    );
    const compared = await verify(path, mlruns, state());
    expect([report.exit_status, compared.exit_status]).toEqual([3, 3]);
    expect(compared.loss_counts).toMatchObject({ KIND_NOT_HELD: 1 });
  });

  it('comes along with a choice of runs only where it names one of them', async () => {
    const { path } = await write(join(directory, 'choice.tar'), [
      noteReader(noteRecord()),
      noteReader(noteRecord({ note_id: 'n-2', about_runs: [OTHER], tags: {} })),
    ]);
    const to = join(directory, 'chosen.tar');
    const selection = { ...ALL_ACTIVE, runs: [RUN] };
    const { report } = await copyBetween(path, to, { ...state(), selection });
    expect(report.objects).toMatchObject({ notes: { read: 1, created: 1 } });
    expect((await inspect(to, state())).objects).toMatchObject({ notes: { count: 1 } });
  });

  it('is refused where no line above describes what it lives in, or when it comes twice', async () => {
    const path = join(directory, 'orphan.tar');
    await expect(write(path, [noteReader(noteRecord({ experiment_id: '5' }))])).rejects.toMatchObject({
      code: 'BUG',
    });
    await expect(
      write(`${path}.2.tar`, [noteReader(noteRecord()), noteReader(noteRecord())]),
    ).rejects.toThrow(/came twice/);
  });

  it('fails alone when it cannot be read', async () => {
    const { path } = await write(join(directory, 'good.tar'), [noteReader(noteRecord())]);
    const { options } = testOptions(directory);
    const reader = await openReader(path, options);
    const good = reader.objects?.get('note');
    const bad: ObjectReader = {
      ...noteReader(noteRecord({ note_id: 'n-0' }), { 'x.txt': 'x' }),
      open: () => Promise.reject(new MlferryError('SOURCE_ITEM', 'The file is gone')),
    };
    const source = {
      read: async function* (scope: ObjectScope) {
        yield bad;
        yield* good?.read(scope) ?? [];
      },
    };
    const writer = await openWriter(join(directory, 'rest.tar'), { ...options, source: reader.info });
    const { report } = await copy({ ...reader, objects: new Map([['note', source]]) }, writer, {
      selection: ALL_ACTIVE,
      concurrency: 1,
      rename: [],
      parts: ALL_PARTS,
      dryRun: false,
      signal: options.signal,
      ledger: createLedger(),
    });
    await reader.close();
    expect(report).toMatchObject({ exit_status: 3, objects: { notes: { read: 2, created: 1, failed: 1 } } });
    expect(report.failures).toMatchObject([
      { code: 'SOURCE_ITEM', object: 'note n-0 ("a note")', of: { kind: 'note', id: 'n-0' } },
    ]);
  });
});
