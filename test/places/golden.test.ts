import { createHash } from 'node:crypto';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { FORMAT_VERSION } from '../../src/kinds/kinds.ts';
import { openReader, openWriter } from '../../src/places/open.ts';
import { goldenWorkspace } from '../fixtures/golden/workspace.ts';
import { archiveOf, endLineOf, splitLines, takenApart } from './archive/forge.ts';
import { readerOptions, readWorkspace, testOptions, writeWorkspace } from './memory-workspace.ts';

const golden = (name: string, version = 1) =>
  fileURLToPath(new URL(`../fixtures/golden/version-${version}/${name}`, import.meta.url));

let dir: string;
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'mlferry-golden-'));
});
afterAll(() => rm(dir, { recursive: true, force: true }));

const open = (path: string) =>
  openReader(path, readerOptions(dir, { artifactsDir: golden('artifacts') }).options);

describe('files of earlier format versions', () => {
  it.each<[number, string, string]>([
    [1, 'backup.tar', 'a1000ae3ab926c219eca82cfca9097964ed3c4bd8ccaa91dbdf1e21dacc51e47'],
    [1, 'backup.tar.gz', '275b93aa975b8f84e66a22515b4a026b972fd5d536475028959a2380568610ad'],
    [1, 'backup.tar.zst', 'b656b6e2fffc0713fbbadef7c948d1792c9602a0921d796c19871dd2ad9fa38c'],
    [1, 'export.ndjson', '880151d6785428b18f90f440576085e8a26a04a6325c0cad6343d3a27c544e71'],
    [1, 'export.ndjson.zst', 'f4220a50e49954eb56f6139421701550d415efb0b424bc95516b72e8c3f40df8'],
    [3, 'backup.tar', '10da410836377ec97f9c4b5ad9a1f30910011db4156748ec2af05a717720606c'],
    [3, 'export.ndjson', 'e690f2e13237c288fc2485ac564588af10b68c099c8fa15c8d7169e5e34afd09'],
  ])('version %i, %s is still what it was, and read to the last value', async (version, name, sha256) => {
    const bytes = await readFile(golden(name, version));
    expect(createHash('sha256').update(bytes).digest('hex')).toBe(sha256);
    expect(await readWorkspace(await open(golden(name, version)))).toEqual(await goldenWorkspace());
  });

  it.each([1, 3])('of version %i have the record lines that are written today', async (version) => {
    const path = join(dir, `today-${version}.ndjson`);
    const { options } = testOptions(dir, { artifactsDir: join(dir, 'artifacts') });
    await writeWorkspace(await goldenWorkspace(), await openWriter(path, options));
    expect(FORMAT_VERSION).toBeGreaterThan(version);
    // Their order may change within a version, as long as it is one that the format allows.
    const linesOf = async (file: string) =>
      splitLines(await readFile(file))
        .slice(1, -1)
        .map((bytes) => createHash('sha256').update(bytes).digest('hex'))
        .sort();
    expect(await linesOf(path)).toEqual(await linesOf(golden('export.ndjson', version)));
  });
});

describe('a file of another version', () => {
  const changed = async (name: string, change: (lines: Buffer[]) => Buffer[]): Promise<string> => {
    const path = join(dir, name);
    if (name.endsWith('.tar')) {
      const { blobs, lines } = takenApart(await readFile(golden('backup.tar')));
      await writeFile(path, await archiveOf(blobs, change(lines)));
    } else {
      const lines = change(splitLines(await readFile(golden('export.ndjson'))).slice(0, -1));
      await writeFile(path, Buffer.concat([...lines, endLineOf(lines)]));
    }
    return path;
  };
  const header =
    (edit: (fields: Record<string, unknown>) => Record<string, unknown>) => (lines: Buffer[]) => {
      const fields: unknown = JSON.parse(String(lines[0]));
      const edited = edit(typeof fields === 'object' && fields !== null ? { ...fields } : {});
      return [Buffer.from(`${JSON.stringify(edited)}\n`), ...lines.slice(1)];
    };
  const line = (text: string) => (lines: Buffer[]) => lines.toSpliced(2, 0, Buffer.from(`${text}\n`));

  it.each(['v.tar', 'v.ndjson'])('%s, unchanged but for its packing, is accepted', async (name) => {
    const path = await changed(name, (lines) => lines);
    expect(await readWorkspace(await open(path))).toEqual(await goldenWorkspace());
  });

  it.each<[string, string, (lines: Buffer[]) => Buffer[], string, RegExp]>([
    [
      'a newer version',
      'a',
      header((fields) => ({ ...fields, version: FORMAT_VERSION + 1 })),
      'FORMAT',
      new RegExp(`version ${FORMAT_VERSION + 1}.*up to version ${FORMAT_VERSION}`),
    ],
    [
      'a newer version with other fields',
      'b',
      header(() => ({ kind: 'header', format: 'mlferry', version: 99, codec: 'x' })),
      'FORMAT',
      /version 99/,
    ],
    ['version 0', 'c', header((fields) => ({ ...fields, version: 0 })), 'CORRUPT', /version/],
    [
      'a version that is no number',
      'd',
      header((fields) => ({ ...fields, version: '1' })),
      'CORRUPT',
      /header/,
    ],
    ['another format', 'e', header((fields) => ({ ...fields, format: 'other' })), 'CORRUPT', /header/],
    ['an unknown kind of record', 'f', line('{"kind":"trace","id":"t"}'), 'CORRUPT', /line 3 .*"trace"/],
    [
      'a line of a later version',
      'h',
      line('{"kind":"left_behind","code":"NOT_READ","count":1,"named":[{"detail":"x"}]}'),
      'CORRUPT',
      /line 3 .*"left_behind"/,
    ],
    ['an unknown field', 'g', header((fields) => ({ ...fields, more: 1 })), 'CORRUPT', /more/],
  ])('with %s is refused with exit status 5', async (_, name, change, code, message) => {
    for (const suffix of ['tar', 'ndjson']) {
      const refused = open(await changed(`${name}.${suffix}`, change));
      await expect(refused).rejects.toMatchObject({
        code,
        meaning: { exit: 5 },
        message: expect.stringMatching(message),
      });
    }
  });
});
