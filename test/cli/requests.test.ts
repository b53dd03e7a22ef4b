import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { CANARIES, canariesIn } from '../canaries.ts';
import { startFake, status } from '../places/server/fake-server.ts';
import { mlferry } from './mlferry.ts';

let directory = '';
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'mlferry-requests-'));
});
afterEach(() => rm(directory, { recursive: true, force: true }));

/** A server with one empty experiment that wants these credentials. */
async function guarded(authorization: string) {
  const experiment = { experiment_id: '1', name: 'e', lifecycle_stage: 'active' };
  return startFake(({ path, headers }) => {
    if (headers.authorization !== authorization) return status(401, 'who are you?');
    if (path.endsWith('/runs/search')) return { json: {} };
    return path.endsWith('/experiments/search') ? { json: { experiments: [experiment] } } : undefined;
  });
}
const bearer = (token: string) => `Bearer ${token}`;

describe('--debug and --log-file', () => {
  it('show each request without secrets, and what the command says', async () => {
    const { url, seen } = await guarded(bearer(CANARIES.token));
    const file = join(directory, 'mlferry.log');
    const environment = { MLFERRY_FROM_TOKEN: CANARIES.token };
    const place = `${url.origin}/?token=${CANARIES.otherToken}`;
    const args = ['experiments', 'list', place, '--debug', '--log-file', file];
    const shown = await mlferry(args, directory, { environment });
    expect(shown.status).toBe(0);
    const lines = shown.err.split('\n').filter((line) => line.startsWith('debug: '));
    expect(lines).toHaveLength(seen.length);
    expect(lines).toContainEqual(
      expect.stringMatching(
        /^debug: GET http:\S+\/experiments\/search\?max_results=1 200, \d+ ms, \d\d bytes$/,
      ),
    );
    expect(lines).toContainEqual(expect.stringMatching(/server-info 404, /));
    const quiet = await mlferry(['inspect', url.href, '--log-file', file, '-e', 'nope'], directory, {
      environment,
    });
    expect(quiet.err).not.toContain('debug');
    const log = await readFile(file, 'utf8');
    expect(log).toMatch(/^\d{4}-\d\d-\d\dT[\d:.]+Z mlferry \d\S+: "experiments" "list"/);
    expect(log).toMatch(/Z GET http:\S+ 200, \d+ ms, \d+ bytes\n/);
    expect(log).toContain('there is no such experiment');
    expect((await stat(file)).mode & 0o777).toBe(0o600);
    expect(canariesIn(shown.err + log)).toEqual([]);
  });

  it('name a request that found no connection, and the failure', async () => {
    const file = join(directory, 'mlferry.log');
    const environment = { MLFLOW_HTTP_REQUEST_MAX_RETRIES: '0' };
    const args = ['inspect', 'http://127.0.0.1:9', '-v', '--log-file', file];
    const { err, status } = await mlferry(args, directory, { environment });
    expect(err).toMatch(/^debug: GET http:\/\/127\.0\.0\.1:9\/version ECONNREFUSED, /);
    expect(await readFile(file, 'utf8')).toContain('error UNAVAILABLE');
    expect(status).toBe(7);
  });

  it('make a file that was there one of its owner alone', async () => {
    const file = join(directory, 'mlferry.log');
    await writeFile(file, 'before\n', { mode: 0o644 });
    await mlferry(['inspect', 'samples/mlruns', '--log-file', file], directory);
    expect((await stat(file)).mode & 0o777).toBe(0o600);
    expect(await readFile(file, 'utf8')).toMatch(/^before\n\S+Z mlferry /);
  });

  it('a log file that takes no more is told once and costs nothing else', async () => {
    const archive = join(directory, 'a.tar');
    const args = ['backup', 'samples/mlruns', archive, '--log-file', '/dev/full'];
    const { err, status } = await mlferry(args, directory);
    expect(err.match(/warning: The log file \/dev\/full: ENOSPC.*goes on without its log/g)).toHaveLength(1);
    expect(status).toBe(0);
    expect((await stat(archive)).size).toBeGreaterThan(0);
  });

  it('keep what is wrong with a named place', async () => {
    const file = join(directory, 'mlferry.log');
    const { status } = await mlferry(['--log-file', file, 'inspect', 'place:nowhere'], directory);
    expect(await readFile(file, 'utf8')).toContain('There is no place named "nowhere"');
    expect(status).toBe(2);
  });

  it('a log file that cannot be written ends the command before it begins', async () => {
    const { err, status } = await mlferry(['inspect', 'samples/mlruns', '--log-file', directory], directory);
    expect(err).toMatch(/^error USAGE: The log file .* cannot be written/);
    expect(status).toBe(2);
  });
});

describe('the only place of a command that reads', () => {
  it.each([['inspect'], ['verify'], ['runs', 'list'], ['runs', 'csv'], ['experiments', 'list']])(
    '%s %s is that of MLFLOW_TRACKING_URI unless it is named',
    async (...command) => {
      const environment = { MLFLOW_TRACKING_URI: 'samples/mlruns' };
      const read = await mlferry(command, directory, { environment });
      expect(read.err).toContain('Reading samples/mlruns, from MLFLOW_TRACKING_URI\n');
      expect(read.out).not.toBe('');
      expect(read.status).toBe(0);
      const none = await mlferry(command, directory);
      expect(none.err).toMatch(/^error USAGE: No place is named/);
      expect(none.status).toBe(2);
    },
  );

  it('takes the credentials of either side; of two places each has its own', async () => {
    const { url } = await guarded(bearer('abc123'));
    for (const name of ['MLFERRY_FROM_TOKEN', 'MLFERRY_TO_TOKEN'])
      for (const command of ['inspect', 'verify']) {
        const read = await mlferry([command, url.href], directory, { environment: { [name]: 'abc123' } });
        expect(read.status).toBe(0);
      }
    const archive = join(directory, 'a.tar');
    const environment = { MLFERRY_TO_TOKEN: 'abc123' };
    const { err, status } = await mlferry(['backup', url.href, archive], directory, { environment });
    expect(err).toContain('MLFERRY_TO_TOKEN is set, which is for the target. Set MLFERRY_FROM_TOKEN, or');
    expect(status).toBe(6);
  });
});

describe('secrets from commands', () => {
  it('are asked for once in a job', async () => {
    const { url } = await guarded(`Basic ${Buffer.from(`me:${CANARIES.password}`).toString('base64')}`);
    await writeFile(join(directory, 'secret'), `${CANARIES.password}\n`);
    const environment = {
      MLFERRY_FROM_USERNAME: 'me',
      MLFERRY_FROM_PASSWORD_COMMAND: `cat ${directory}/secret; echo asked >> ${directory}/asked`,
    };
    const archive = join(directory, 'a.tar');
    const args = ['backup', url.href, archive, '--verify', '--debug'];
    const { err, status } = await mlferry(args, directory, { environment });
    expect({ status, canaries: canariesIn(err) }).toEqual({ status: 0, canaries: [] });
    expect(await readFile(join(directory, 'asked'), 'utf8')).toBe('asked\n');
  });

  it.each([
    ['exit 4', 'failed: status 4'],
    ['true', 'printed nothing'],
    ['printf "a\\nb"', 'has characters that no HTTP header can carry'],
  ])('%s is an error that shows neither command nor output', async (command, told) => {
    const environment = { MLFERRY_FROM_TOKEN_COMMAND: `${command} # ${CANARIES.otherToken}` };
    const { err, status } = await mlferry(['inspect', 'http://127.0.0.1:9'], directory, { environment });
    expect(err).toContain(told);
    expect(err).toContain('MLFERRY_FROM_TOKEN');
    expect(canariesIn(err)).toEqual([]);
    expect(status).toBe(2);
  });
});
