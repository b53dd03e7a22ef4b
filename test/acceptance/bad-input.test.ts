import { once } from 'node:events';
import { existsSync, readdirSync } from 'node:fs';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer, type RequestListener } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { sharedServer } from '../servers/shared-server.ts';
import { runMlferry } from './run-mlferry.ts';

const sample = (name: string) => fileURLToPath(new URL(`../../samples/${name}`, import.meta.url));

/** Each wrong input ends with one line on stderr, the status of its kind, a next step, and nothing written. */
describe('bad input', () => {
  let directory: string;
  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'mlferry-bad-'));
  });
  afterEach(() => rm(directory, { recursive: true, force: true }));

  async function expectRefusal(
    args: readonly string[],
    status: number,
    code: string,
    environment: Readonly<Record<string, string>> = {},
  ): Promise<string> {
    const before = readdirSync(directory, { recursive: true });
    const ended = await runMlferry([...args], { environment });
    expect(ended.stdout).toBe('');
    expect(ended.stderr.trim().split('\n'), ended.stderr).toHaveLength(1);
    expect(ended.stderr).toMatch(new RegExp(`^error ${code}: .+\\. .+`));
    expect(ended.status).toBe(status);
    expect(readdirSync(directory, { recursive: true })).toEqual(before);
    return ended.stderr;
  }

  describe('on the command line', () => {
    test.for([
      ['an unknown option', ['copy', 'a.tar', 'b.tar', '--bogus']],
      ['an unknown command', ['transfer', 'a', 'b']],
      ['a missing argument', ['copy', 'a.tar']],
      ['one argument too many', ['backup', 'a', 'b.tar', 'c.tar']],
      ['a number that is none', ['copy', 'a.tar', 'b.tar', '--concurrency', 'many']],
      ['a choice that is none', ['copy', 'a.tar', 'b.tar', '--view', 'gone']],
    ] as const)('%s', async ([, args]) => {
      const ended = await runMlferry([...args]);
      expect(ended.status).toBe(2);
      expect(ended.stdout).toBe('');
      expect(ended.stderr).toMatch(/^error/);
    });

    test('a location that is no place', async () => {
      const file = join(directory, 'notes.txt');
      await writeFile(file, 'no runs here');
      const target = join(directory, 'out.tar');
      await expectRefusal(['copy', file, target], 2, 'LOCATION');
      await expectRefusal(['copy', 'ftp://127.0.0.1/mlruns', target], 2, 'LOCATION');
      await expectRefusal(['copy', 'http://', target], 2, 'LOCATION');
      await expectRefusal(['copy', join(directory, 'nothing'), target], 2, 'LOCATION');
      await expectRefusal(['copy', directory, target], 2, 'LOCATION');
      await expectRefusal(['backup', sample('mlruns'), join(directory, 'out.zip')], 2, 'LOCATION');
      await expectRefusal(['restore', sample('runs.ndjson'), join(directory, 'mlruns')], 2, 'LOCATION');
    });

    test('a source file that is not there', async () => {
      await expectRefusal(['restore', join(directory, 'no.tar'), join(directory, 'mlruns')], 2, 'LOCATION');
      await expectRefusal(['import', join(directory, 'no.ndjson'), join(directory, 'mlruns')], 2, 'LOCATION');
    });

    test('a target file that is there already', async () => {
      const target = join(directory, 'out.tar');
      await writeFile(target, 'precious');
      await expectRefusal(['backup', sample('mlruns'), target], 8, 'CONFLICT');
      expect(await readFile(target, 'utf8')).toBe('precious');
    });
  });

  describe('damaged files', () => {
    // test/places/damage-sweep.test.ts has hundreds of places, through the library.
    test('an archive that is cut', async () => {
      const whole = await readFile(sample('backup.tar'));
      const cuts = [
        0,
        1,
        511,
        512,
        513,
        1024,
        ...[1, 2, 3].map((part) => Math.floor((whole.length * part) / 4)),
        whole.length - 1025,
        whole.length - 1,
      ];
      for (const cut of cuts) {
        const archive = join(directory, 'cut.tar');
        await writeFile(archive, whole.subarray(0, cut));
        await expectRefusal(
          ['restore', archive, join(directory, 'mlruns')],
          5,
          '(TRUNCATED|CORRUPT|HOSTILE)',
        );
      }
    });

    test('an archive with a flipped bit', async () => {
      const whole = await readFile(sample('backup.tar'));
      for (let part = 0; part < 4; part += 1) {
        const at = Math.floor((whole.length * (part + 0.5)) / 4);
        const flipped = Buffer.from(whole);
        flipped[at] = (flipped[at] ?? 0) ^ 4;
        const archive = join(directory, 'flipped.tar');
        await writeFile(archive, flipped);
        await expectRefusal(
          ['restore', archive, join(directory, 'mlruns')],
          5,
          '(TRUNCATED|CORRUPT|HOSTILE|FORMAT)',
        );
      }
    });

    test('a stream that is cut, broken or edited', async () => {
      const lines = (await readFile(sample('runs.ndjson'), 'utf8')).trimEnd().split('\n');
      const variants: Array<[lines: string[], code: string]> = [
        [lines.slice(0, -1), 'TRUNCATED'],
        [lines.slice(0, 3), 'TRUNCATED'],
        [[], '(TRUNCATED|CORRUPT)'],
        [[...lines.slice(0, 4), '{"kind": "run", broken', ...lines.slice(4)], 'CORRUPT'],
        [[...lines.slice(0, 4), '', ...lines.slice(5)], '(CORRUPT|EDITED)'],
        [['<html><body>not a stream</body></html>'], 'CORRUPT'],
        [lines.map((line) => line.replace('"slow"', '"quick"')), 'EDITED'],
      ];
      for (const [changed, code] of variants) {
        const stream = join(directory, 'runs.ndjson');
        await writeFile(stream, changed.map((line) => `${line}\n`).join(''));
        await expectRefusal(['import', stream, join(directory, 'mlruns')], 5, code);
      }
    });
  });

  describe('servers', () => {
    const server = sharedServer({ auth: true });

    test('a host that cannot be reached', async () => {
      const target = join(directory, 'out.tar');
      const once = { MLFLOW_HTTP_REQUEST_MAX_RETRIES: '0' };
      await expectRefusal(['backup', 'http://127.0.0.1:1', target], 7, 'UNAVAILABLE', once);
      await expectRefusal(['backup', 'http://no-such-host.invalid', target], 7, 'UNAVAILABLE', once);
      await expectRefusal(['copy', sample('mlruns'), 'http://127.0.0.1:1'], 7, 'UNAVAILABLE', once);
    });

    test('no password, a wrong one, the right one', async () => {
      const { url, username = '', password = '' } = await server();
      const target = join(directory, 'out.tar');
      // A home without credentials: nothing is planted then, and nothing is sent.
      await expectRefusal(['backup', url, target], 6, 'DENIED', { HOME: '/nonexistent' });
      const wrong = { MLFERRY_FROM_USERNAME: username, MLFERRY_FROM_PASSWORD: 'wrong-secret' };
      const message = await expectRefusal(['backup', url, target], 6, 'DENIED', wrong);
      expect(message).not.toContain('wrong-secret');
      const right = { MLFERRY_FROM_USERNAME: username, MLFERRY_FROM_PASSWORD: password };
      expect(await runMlferry(['backup', url, target], { environment: right })).toMatchObject({ status: 0 });
      expect(existsSync(target)).toBe(true);
    });
  });

  /** What no MLflow answers. */
  describe('something that is not MLflow', () => {
    let answer: RequestListener;
    const web = createServer((request, response) => answer(request, response));
    let url: string;
    beforeAll(async () => {
      web.listen(0, '127.0.0.1');
      await once(web, 'listening');
      const address = web.address();
      url = typeof address === 'object' && address !== null ? `http://127.0.0.1:${address.port}` : '';
    });
    afterAll(() => {
      web.close();
      web.closeAllConnections();
    });

    test.for<[name: string, answer: RequestListener]>([
      [
        'HTML for everything',
        (_, response) => response.setHeader('content-type', 'text/html').end('<html>Welcome</html>'),
      ],
      [
        'HTML with 404',
        (_, response) =>
          response.writeHead(404, { 'content-type': 'text/html' }).end('<html>Not found</html>'),
      ],
      [
        'JSON of something else',
        (_, response) => response.setHeader('content-type', 'application/json').end('[1, 2]'),
      ],
      [
        'half a JSON',
        (_, response) => response.setHeader('content-type', 'application/json').end('{"experiments": ['),
      ],
      ['an empty answer', (_, response) => response.end()],
    ])('%s', async ([, listener]) => {
      answer = listener;
      await expectRefusal(['backup', url, join(directory, 'out.tar')], 6, 'NOT_MLFLOW');
      await expectRefusal(['copy', sample('mlruns'), url], 6, 'NOT_MLFLOW');
    });

    test('a login page behind a redirect', async () => {
      answer = (request, response) =>
        request.url === '/login'
          ? response.setHeader('content-type', 'text/html').end('<html>Log in</html>')
          : response.writeHead(302, { location: '/login' }).end();
      await expectRefusal(['backup', url, join(directory, 'out.tar')], 6, '(NOT_MLFLOW|DENIED)');
    });
  });
});
