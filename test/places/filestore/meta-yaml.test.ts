import { execFileSync } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  formatMetaYaml,
  parseMetaYaml,
  readMetaYaml,
} from '../../../src/places/filestore/layout/meta-yaml.ts';
import { NEWEST_MLFLOW, pythonOf } from '../../servers/versions.ts';

let dir: string;
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'meta-yaml-'));
});
afterAll(() => rm(dir, { recursive: true, force: true }));

const text = fc.oneof(
  fc.string({ unit: 'grapheme' }),
  fc.string({ unit: 'binary' }).filter((value) => value.isWellFormed()),
  fc.constantFrom(
    '',
    '~',
    'null',
    'yes',
    '1e3',
    '1234e567',
    '0o17',
    '017',
    '=',
    '<<',
    '2020-01-01',
    'a: b',
    '# c',
    '-',
    '\u0085',
    '\ufeff',
    '\u2028\r\n',
    '\u007f',
    '__proto__',
  ),
);
const fields = fc
  .uniqueArray(
    fc.tuple(
      fc.oneof(text, fc.string({ minLength: 1100, maxLength: 1200 })),
      fc.oneof(text, fc.constant(null), fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n })),
    ),
    {
      selector: ([key]) => key,
      maxLength: 6,
    },
  )
  .map((entries) => Object.fromEntries(entries));

const asTexts = (value: Record<string, string | bigint | null>) =>
  Object.entries(value)
    .map(([key, item]) => [key, typeof item === 'bigint' ? String(item) : item])
    .sort();

describe('meta.yaml', () => {
  it('is read back as it was written', () => {
    fc.assert(
      fc.property(fields, fields, (map, inner) => {
        const value = parseMetaYaml(formatMetaYaml({ map, inner, list: [], none: {} }), 'meta.yaml');
        expect(value).toMatchObject({ list: [], none: {} });
        const { map: readMap, inner: readInner } = Object(value);
        expect(Object.entries(Object(readMap)).sort()).toEqual(asTexts(map));
        expect(Object.entries(Object(readInner)).sort()).toEqual(asTexts(inner));
      }),
    );
  });

  it('is read by PyYAML as it was written', async () => {
    const samples = fc.sample(fields, 300);
    const documents = samples.map((map) => formatMetaYaml({ map, list: [], none: {}, id: '0', number: 5 }));
    const path = join(dir, 'samples.json');
    await writeFile(path, JSON.stringify(documents));
    const script = `
import json, sys, yaml
from yaml import CSafeLoader
out = []
for text in json.load(open(sys.argv[1])):
    value = yaml.load(text, Loader=CSafeLoader)
    assert value["list"] == [] and value["none"] == {} and value["id"] == "0" and value["number"] == 5
    out.append([[k, str(v) if isinstance(v, int) else v] for k, v in value["map"].items()])
print(json.dumps(out))`;
    const output = execFileSync(pythonOf(NEWEST_MLFLOW), ['-c', script, path], {
      encoding: 'utf8',
      maxBuffer: 2 ** 28,
    });
    const read: unknown = JSON.parse(output);
    const sorted = Array.isArray(read) ? read.map((entries: string[][]) => entries.sort()) : [];
    expect(sorted).toEqual(samples.map(asTexts));
  });

  it('keeps texts that PyYAML writes without quotes', () => {
    const yaml =
      'digest: 1234e567\nrun_name: 1e3\nold_id: 0\nnothing: null\nempty:\ntilde: ~\nquoted: "null"\n';
    expect(parseMetaYaml(yaml, 'meta.yaml')).toEqual({
      digest: '1234e567',
      run_name: '1e3',
      old_id: '0',
      nothing: null,
      empty: null,
      tilde: null,
      quoted: 'null',
    });
  });

  it('names the file that is damaged, and the one that stays empty', async () => {
    expect(() => parseMetaYaml('a: [1\nb: {', 'the/meta.yaml')).toThrow(/the\/meta\.yaml is not valid YAML/);
    const path = join(dir, 'empty.yaml');
    await writeFile(path, '');
    await expect(readMetaYaml(path)).rejects.toMatchObject({
      code: 'SOURCE_ITEM',
      message: `${path} is empty`,
    });
    await writeFile(path, Buffer.from([0x61, 0x3a, 0x20, 0xff]));
    await expect(readMetaYaml(path)).rejects.toMatchObject({
      code: 'SOURCE_ITEM',
      message: `${path} is not UTF-8`,
    });
  });
});
