import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { indexRecords } from '../../../src/places/record-files/record-index.ts';
import { decodeRecords } from '../../../src/places/record-files/record-lines.ts';
import { openStreamReader } from '../../../src/places/stream/reader.ts';
import { openStreamWriter } from '../../../src/places/stream/writer.ts';
import { MlferryError } from '../../../src/util/errors.ts';
import {
  makeExperiment,
  makeRun,
  readerOptions,
  readWorkspace,
  testOptions,
  writeWorkspace,
} from '../memory-workspace.ts';

let dir: string;
let whole: Buffer;
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'stream-damage-'));
  const run = await makeRun(
    { run_name: '🦙 ünï', params: { lr: '0.1' } },
    [
      [
        'acc',
        [
          [0, 5, 1],
          [1, 6, 'NaN'],
          [1, 6, -0],
        ],
      ],
      [
        'loss',
        [
          [0, 5, 0.25],
          ['9223372036854775807', 7, 'Infinity'],
        ],
      ],
    ],
    [['model/MLmodel', Buffer.from('x')]],
  );
  const path = join(dir, 'whole.ndjson');
  const { options } = testOptions(dir);
  const writer = await openStreamWriter({ path, compression: 'none' }, options);
  await writeWorkspace([{ experiment: makeExperiment(), runs: [run] }], writer);
  whole = await readFile(path);
});
afterAll(() => rm(dir, { recursive: true, force: true }));

async function outcome(bytes: Uint8Array, size = bytes.length): Promise<string> {
  const chunks = async function* () {
    for (let i = 0; i < bytes.length; i += size) yield bytes.subarray(i, i + size);
  };
  try {
    const { vouched } = await indexRecords(decodeRecords(chunks(), 'x'), 'x');
    return vouched ? 'accepted' : 'EDITED';
  } catch (error) {
    return error instanceof MlferryError && error.meaning.exit === 5
      ? error.code
      : `not ours: ${String(error)}`;
  }
}

const openText = async (text: string, allowEdited = false) => {
  const { options, losses } = readerOptions(dir, { stdin: Readable.from([Buffer.from(text)]), allowEdited });
  const reader = await openStreamReader({ path: undefined, compression: 'none' }, options);
  return { reader, losses };
};

describe('a damaged stream', () => {
  it('is whole to begin with, in pieces of one byte too', async () => {
    expect(await outcome(whole)).toBe('accepted');
    expect(await outcome(whole, 1)).toBe('accepted');
  });

  it('is TRUNCATED when cut at any byte, also for who accepts edits', async () => {
    const found = new Set<string>();
    for (let length = 0; length < whole.length; length++) found.add(await outcome(whole.subarray(0, length)));
    expect([...found]).toEqual(['TRUNCATED']);
    const lines = whole.toString().split('\n');
    await expect(openText(`${lines.slice(0, -2).join('\n')}\n`, true)).rejects.toMatchObject({
      code: 'TRUNCATED',
    });
  });

  it('is refused when any bit is flipped', async () => {
    const wrong: string[] = [];
    for (let bit = 0; bit < whole.length * 8; bit++) {
      const copy = Buffer.from(whole);
      copy.writeUInt8(copy.readUInt8(bit >> 3) ^ (1 << (bit & 7)), bit >> 3);
      const found = await outcome(copy);
      if (!['TRUNCATED', 'CORRUPT', 'HOSTILE', 'EDITED', 'FORMAT'].includes(found))
        wrong.push(`${bit}: ${found}`);
    }
    expect(wrong).toEqual([]);
  });

  it('is refused for anything in its place, and never otherwise than with our error', async () => {
    const line = fc.oneof(
      fc.json().map((text) => text.replaceAll('\n', ' ')),
      fc.string({ unit: 'binary' }),
      fc.constantFrom(
        'null',
        '',
        ' ',
        '{}',
        '[]',
        '{"kind":"end"}',
        '{"kind":"new"}',
        '\ufeff{}',
        '{"__proto__":{"kind":"end"}}',
      ),
      fc.constant('[').map((text) => text.repeat(100_000)),
      fc.constant('{"a":').map((text) => text.repeat(100_000)),
    );
    const lines = whole.toString().trimEnd().split('\n');
    await fc.assert(
      fc.asyncProperty(line, fc.nat({ max: lines.length }), fc.boolean(), async (text, at, replace) => {
        const changed = lines.toSpliced(at, replace ? 1 : 0, text);
        if (changed.join('\n') === lines.join('\n')) return;
        expect(await outcome(Buffer.from(`${changed.join('\n')}\n`))).toMatch(
          /^(TRUNCATED|CORRUPT|HOSTILE|EDITED|FORMAT)$/,
        );
      }),
      { numRuns: 300 },
    );
  });

  it.each<[string, (lines: string[]) => string[], string]>([
    ['no header', (l) => l.slice(1), 'CORRUPT'],
    ['two headers', (l) => [l[0] ?? '', ...l], 'CORRUPT'],
    ['a run before its experiment', (l) => [l[0] ?? '', ...l.slice(2)], 'CORRUPT'],
    ['an experiment twice', (l) => l.toSpliced(1, 0, l[1] ?? ''), 'CORRUPT'],
    ['a run twice', (l) => l.toSpliced(2, 0, l[2] ?? ''), 'CORRUPT'],
    [
      'metrics of another run',
      (l) => l.map((x) => (x.includes('"metrics"') ? x.replace(/"run_id":"0/, '"run_id":"1') : x)),
      'CORRUPT',
    ],
    ['a key in two places', (l) => l.toSpliced(5, 0, l[3] ?? ''), 'CORRUPT'],
    ['an artifact twice', (l) => l.toSpliced(6, 0, l[5] ?? ''), 'CORRUPT'],
    ['a line behind the end', (l) => [...l, l[1] ?? ''], 'CORRUPT'],
    ['an empty line', (l) => l.toSpliced(3, 0, ''), 'CORRUPT'],
    [
      'a newer version',
      (l) => [(l[0] ?? '').replace(/"version":\d+/, '"version":99'), ...l.slice(1)],
      'FORMAT',
    ],
    ['an unknown kind', (l) => l.toSpliced(2, 0, '{"kind":"trace"}'), 'CORRUPT'],
    ['a hostile path', (l) => l.map((x) => x.replace('model/MLmodel', '../../MLmodel')), 'HOSTILE'],
    [
      'a number too large',
      (l) => l.map((x) => x.replace('"9223372036854775807"', '9223372036854775807')),
      'CORRUPT',
    ],
    ['an infinite number', (l) => l.map((x) => x.replace('0.25', '1e999')), 'CORRUPT'],
    ['a line taken out', (l) => l.toSpliced(4, 1), 'EDITED'],
    ['a changed value', (l) => l.map((x) => x.replace('0.25', '0.5')), 'EDITED'],
  ])('is refused with %s', async (_name, change, code) => {
    const lines = whole.toString().trimEnd().split('\n');
    const error = await openText(`${change(lines).join('\n')}\n`).catch((caught: unknown) => caught);
    expect(error).toMatchObject({ name: 'MlferryError', code });
  });

  it('names the line', async () => {
    const lines = whole.toString().trimEnd().split('\n');
    await expect(openText(`${lines.toSpliced(3, 1, '{"kind":').join('\n')}\n`)).rejects.toThrow(/line 4 /);
    const bad = Buffer.concat([
      Buffer.from(`${lines[0]}\n`),
      Buffer.from([0x7b, 0x22, 0xff, 0x22, 0x7d, 0x0a]),
    ]);
    await expect(
      openStreamReader(
        { path: undefined, compression: 'none' },
        readerOptions(dir, { stdin: Readable.from([bad]) }).options,
      ),
    ).rejects.toThrow(/line 2 is not valid UTF-8/);
  });

  it('is accepted when edited, if told to: nothing vouches, and the latest values follow the points', async () => {
    const lines = whole.toString().trimEnd().split('\n');
    const edited = `${lines
      .filter((line) => !line.includes('"acc"') || line.includes('"kind":"run"'))
      .map((x) => x.replace('0.25', '0.5'))
      .join('\n')}\n`;
    await expect(openText(edited)).rejects.toMatchObject({
      code: 'EDITED',
      hint: expect.stringContaining('--allow-edited'),
    });
    const { reader, losses } = await openText(edited, true);
    expect(losses).toMatchObject([{ code: 'NOT_VOUCHED' }]);
    const [first] = await readWorkspace(reader);
    expect(first?.runs[0]?.run.latest_metrics).toEqual({ loss: ['9223372036854775807', 7, 'Infinity'] });
    expect(first?.runs[0]?.metrics.map(([key]) => key)).toEqual(['loss']);
  });

  it('is refused, in little memory, when a line has no end', async () => {
    const chunk = Buffer.alloc(2 ** 20, 'x');
    let given = 0;
    const chunks = async function* () {
      for (; given < 1024; given++) yield chunk;
    };
    await expect(indexRecords(decodeRecords(chunks(), 'x'), 'x')).rejects.toMatchObject({ code: 'CORRUPT' });
    expect(given).toBeLessThan(70);
  });

  it('is refused when a line would become too many values', async () => {
    const text = `{"kind":"metrics","run_id":"1","key":"k","points":[${'[0,0,0],'.repeat(2_000_000)}[0,0,0]]}\n`;
    expect(
      await outcome(Buffer.concat([whole.subarray(0, whole.indexOf('\n') + 1), Buffer.from(text)])),
    ).toBe('CORRUPT');
  });

  it('is not there: one clear line', async () => {
    const { options } = readerOptions(dir);
    const open = (path: string) => openStreamReader({ path, compression: 'none' }, options);
    await expect(open(join(dir, 'none.ndjson'))).rejects.toMatchObject({ code: 'LOCATION' });
    await expect(open(dir)).rejects.toMatchObject({ code: 'LOCATION' });
    const empty = join(dir, 'empty.ndjson');
    await writeFile(empty, '');
    await expect(open(empty)).rejects.toMatchObject({ code: 'TRUNCATED' });
    const html = join(dir, 'html.ndjson');
    await writeFile(html, '<html>\n</html>\n');
    await expect(open(html)).rejects.toMatchObject({ code: 'CORRUPT' });
  });
});

describe('a pipe of which no end is known', () => {
  const from = async function* (piece: Buffer, taken: { bytes: number }) {
    for (;;) {
      taken.bytes += piece.length;
      yield piece;
    }
  };
  const refused = async (start: Buffer, piece: Buffer) => {
    const taken = { bytes: 0 };
    const all = async function* () {
      yield start;
      yield* from(piece, taken);
    };
    const { options } = readerOptions(dir, { stdin: Readable.from(all(), { objectMode: false }) });
    const opened = openStreamReader({ path: undefined, compression: 'none' }, options);
    return { error: await opened.catch((error: unknown) => error), taken: taken.bytes };
  };
  const firstLine = () => whole.subarray(0, whole.indexOf('\n') + 1);

  it('is refused as soon as a line is beyond the limit', async () => {
    const { error, taken } = await refused(firstLine(), Buffer.alloc(2 ** 20, 'x'));
    expect(error).toMatchObject({ code: 'CORRUPT', message: expect.stringMatching(/line 2 is longer than/) });
    expect(taken).toBeLessThan(80 * 2 ** 20);
  });

  it('is refused at its first line when that is no header', async () => {
    const { error, taken } = await refused(Buffer.from('y\n'), Buffer.from('y\n'.repeat(1000)));
    expect(error).toMatchObject({ code: 'CORRUPT' });
    expect(taken).toBeLessThan(2 ** 20);
  });
});
