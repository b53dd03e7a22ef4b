import { spawnSync } from 'node:child_process';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import { Decrypter, generateX25519Identity, identityToRecipient } from 'age-encryption';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { CLI, ENVIRONMENT } from '../acceptance/run-mlferry.ts';
import { mlferry } from './mlferry.ts';

const SOURCE = 'samples/mlruns';

let directory: string;
const at = (name: string) => join(directory, name);
const call = (args: readonly string[], stdin?: Buffer) =>
  mlferry(args, directory, stdin === undefined ? {} : { stdin });
/** The archive of the samples, as it is written to a file, and a stream of them. */
let plain: Buffer;
let stream: Buffer;
let key: string;
let recipient: string;

/** A target that only counts who asks. */
let requests = 0;
const server = createServer((_, answer) => {
  requests += 1;
  answer.statusCode = 500;
  answer.end();
});
let target: string;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'mlferry-pipes-'));
  await call(['backup', SOURCE, at('plain.tar')]);
  plain = await readFile(at('plain.tar'));
  await call(['export', SOURCE, at('runs.ndjson')]);
  stream = await readFile(at('runs.ndjson'));
  key = await generateX25519Identity();
  recipient = await identityToRecipient(key);
  await writeFile(at('key.txt'), `# public key: ${recipient}\n${key}\n`);
  await writeFile(at('other.txt'), `${await generateX25519Identity()}\n`);
  await writeFile(at('recipients.txt'), `# the vault\n${recipient}\n`);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  target = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterAll(async () => {
  server.close();
  await rm(directory, { recursive: true, force: true });
});

const shell = (script: string) =>
  spawnSync('bash', ['-c', script, process.execPath, CLI], {
    env: { ...ENVIRONMENT, XDG_STATE_HOME: directory },
    maxBuffer: 2 ** 26,
  });

describe('an archive in a pipe', () => {
  it('has the bytes of one in a file', () => {
    const { stdout, status } = shell(`"$0" "$1" backup ${SOURCE} - -q`);
    expect(status).toBe(0);
    expect(plain.equals(stdout)).toBe(true);
  });

  it('is compressed, and read on the other side', async () => {
    const to = at('restored');
    const { stdout } = shell(
      `"$0" "$1" backup ${SOURCE} - --compress zstd -q | "$0" "$1" restore - ${to} -q; echo "\${PIPESTATUS[@]}"`,
    );
    expect(stdout.toString()).toBe('0 0\n');
    expect((await call(['verify', SOURCE, to])).status).toBe(0);
  });

  it('ends quietly when the program behind it has enough', () => {
    const { stdout, stderr } = shell(
      `"$0" "$1" backup ${SOURCE} - -q | head -c 100 | wc -c; echo "\${PIPESTATUS[0]}"`,
    );
    // Small enough for the pipe, it may be written to its end.
    expect(stdout.toString()).toMatch(/^100\n(141|0)\n$/);
    expect(stderr.toString()).toBe('');
  });

  it.each([
    ['as it is', (bytes: Buffer) => bytes],
    ['with gzip', (bytes: Buffer) => gzipSync(bytes)],
    ['with zstd', (bytes: Buffer) => zstdCompressSync(bytes)],
  ])('or a stream is told by its content: %s', async (_, pack) => {
    const expected = JSON.parse((await call(['inspect', at('plain.tar'), '--json'])).out);
    for (const bytes of [plain, stream]) {
      const { out, status } = await call(['inspect', '-', '--json'], pack(bytes));
      expect(status).toBe(0);
      expect(JSON.parse(out)).toMatchObject({ total: expected.total, place: { location: '-' } });
      expect((await call(['verify', '-'], pack(bytes))).status).toBe(0);
    }
  });

  it.each([
    ['nothing at all', () => Buffer.alloc(0)],
    ['no archive', () => Buffer.from('something else\n'.repeat(100))],
    ['one that is cut', () => plain.subarray(0, plain.length >> 1)],
    ['one without its last byte of an entry', () => plain.subarray(0, -1025)],
    ['a compressed one that is cut', () => zstdCompressSync(plain).subarray(0, -10)],
    ['one with a flipped bit', () => flipped(plain, plain.length >> 1)],
  ])('of %s ends with 5, before the target hears anything', async (_, bytes) => {
    requests = 0;
    const { err, status } = await call(['restore', '-', target], bytes());
    expect(status).toBe(5);
    expect(err).toContain('The standard input');
    expect(requests).toBe(0);
  });

  it('is no terminal', async () => {
    const { err, status } = await mlferry(['restore', '-', at('none')], directory, { answer: '' });
    expect(status).toBe(2);
    expect(err).toContain('stdin is a terminal');
    expect((await mlferry(['inspect', '-'], directory, { answer: '' })).status).toBe(2);
  });

  it('cannot be read twice, and only there a compression is named', async () => {
    for (const args of [
      ['restore', '-', at('none'), '--verify'],
      ['restore', '-', at('none'), '--mirror', '--yes'],
      ['backup', SOURCE, at('none.tar'), '--compress', 'gzip'],
    ])
      expect((await call(args, plain)).status).toBe(2);
    expect(await readdir(directory)).not.toContain('none');
  });
});

function flipped(bytes: Buffer, position: number): Buffer {
  const copy = Buffer.from(bytes);
  copy[position] = (copy[position] ?? 0) ^ 4;
  return copy;
}

describe('an encrypted archive', () => {
  it('is what age makes of the archive, and is read with the key', async () => {
    const written = await call(['backup', SOURCE, at('one.tar.age'), '--encrypt-to', recipient]);
    expect(written.status).toBe(0);
    const bytes = await readFile(at('one.tar.age'));
    expect(bytes.includes('wine-classifier')).toBe(false);
    const decrypter = new Decrypter();
    decrypter.addIdentity(key);
    expect(plain.equals(await decrypter.decrypt(bytes))).toBe(true);
    const [identity, other] = [at('key.txt'), at('other.txt')];
    expect((await call(['verify', SOURCE, at('one.tar.age'), '--identity', identity])).status).toBe(0);
    const both = ['--identity', other, '--identity', identity];
    expect((await call(['runs', 'list', at('one.tar.age'), ...both])).out).toContain('majority class');
    expect((await readdir(directory)).filter((name) => name.endsWith('.partial'))).toEqual([]);
  });

  it.each(['two.tar.zst.age', 'three.tgz.age', 'runs.ndjson.gz.age'])(
    'may be compressed before: %s',
    async (name) => {
      const verb = name.startsWith('runs') ? 'export' : 'backup';
      await call([verb, SOURCE, at(name), '--recipients-file', at('recipients.txt')]);
      const { out, err, status } = await call(
        ['inspect', '-', '--json', '--identity', at('key.txt')],
        await readFile(at(name)),
      );
      expect({ status, err }).toEqual({ status: 0, err: '' });
      expect(JSON.parse(out).total.runs).toBe(10);
    },
  );

  it('without its key, with another, cut or altered ends with 5, before the target hears anything', async () => {
    await call(['backup', SOURCE, at('four.tar.age'), '--encrypt-to', recipient]);
    const bytes = await readFile(at('four.tar.age'));
    const identity = ['--identity', at('key.txt')];
    requests = 0;
    const cases: Array<[string, string[], Buffer]> = [
      ['--identity FILE', [], bytes],
      ['other keys', ['--identity', at('other.txt')], bytes],
      ['cut or altered', identity, bytes.subarray(0, 300)],
      [
        'cut or altered',
        identity,
        bytes.subarray(0, 250 + 65_552 > bytes.length ? bytes.length >> 1 : 65_802),
      ],
      ['cut or altered', identity, bytes.subarray(0, -1)],
      ['cut or altered', identity, Buffer.concat([bytes, Buffer.from('x')])],
      ['The standard input', identity, flipped(bytes, 40)],
      ['cut or altered', identity, flipped(bytes, bytes.length >> 1)],
      ['cut or altered', identity, flipped(bytes, bytes.length - 2)],
      ['no header', identity, Buffer.concat([bytes.subarray(0, 22), Buffer.alloc(2 ** 19, 'a')])],
      ['in letters', identity, Buffer.from('-----BEGIN AGE ENCRYPTED FILE-----\nAAAA\n')],
    ];
    for (const [text, options, input] of cases) {
      const { err, status } = await call(['restore', '-', target, ...options], input);
      expect({ text, status, err }).toMatchObject({ status: 5, err: expect.stringContaining(text) });
      await writeFile(at('case.tar'), input);
      expect((await call(['restore', at('case.tar'), target, ...options])).status).toBe(5);
    }
    expect(requests).toBe(0);
  });

  it('no key is ever shown, and nothing is written where it was asked for wrongly', async () => {
    const log = at('log.txt');
    const cases = [
      ['backup', SOURCE, at('wrong.tar'), '--encrypt-to', key],
      ['backup', SOURCE, at('wrong.tar'), '--encrypt-to', `${recipient}x`],
      ['backup', SOURCE, at('wrong.tar'), '--recipients-file', at('key.txt')],
      ['backup', SOURCE, at('wrong.tar.age')],
      ['export', SOURCE, at('wrong.ndjson'), '--encrypt-to', recipient, '--artifacts-dir', at('bytes')],
      ['inspect', at('one.tar.age'), '--identity', key],
      ['inspect', at('one.tar.age'), '--identity', at('recipients.txt')],
      ['inspect', at('one.tar.age'), '--identity', at('not there')],
    ];
    for (const args of cases) {
      const { out, err, status } = await call(['--log-file', log, ...args]);
      expect({ args, status }).toEqual({ args, status: 2 });
      expect(out + err + (await readFile(log, 'utf8'))).not.toContain(key.slice(20));
    }
    expect((await readdir(directory)).filter((name) => name.startsWith('wrong') || name === 'bytes')).toEqual(
      [],
    );
  });
});
