import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { configDir } from '../../src/cli/config-dir.ts';
import { mlferry as mlferryIn } from './mlferry.ts';

let directory = '';
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'mlferry-places-'));
});
afterEach(() => rm(directory, { recursive: true, force: true }));

const mlferry = (...args: string[]) =>
  mlferryIn(args, directory, { environment: { XDG_CONFIG_HOME: join(directory, 'config') } });
const file = () => join(directory, 'config/mlferry/places.yaml');
const added = async (...args: string[]) => {
  const { err, status } = await mlferry('place', 'add', ...args);
  expect({ err, status }).toMatchObject({ status: 0 });
};

describe('a named place', () => {
  it('stands for its location in every command', async () => {
    await added('ours', 'samples/mlruns');
    await added('target', join(directory, 'copied/mlruns'));
    await added('kept', join(directory, 'kept.tar'));
    expect((await mlferry('inspect', 'ours')).out).toContain(`filestore ${resolve('samples/mlruns')}`);
    for (const args of [
      ['copy', 'ours', 'target', '--verify'],
      ['backup', 'place:ours', 'kept'],
      ['verify', 'ours', 'kept'],
      ['restore', 'kept', 'target'],
      ['runs', 'list', 'target'],
      ['runs', 'tag', 'target', 'a=b', '-e', '*', '--yes'],
    ])
      expect(await mlferry(...args)).toMatchObject({ status: 0 });
  });

  it('brings its TLS options, where the command line has none', async () => {
    await added('prod', 'https://127.0.0.1:9', '--ca', join(directory, 'no.pem'));
    for (const args of [
      ['inspect', 'prod'],
      ['copy', 'samples/mlruns', 'prod'],
      ['runs', 'delete', 'prod', '-e', 'x', '--yes'],
    ])
      expect((await mlferry(...args)).err).toContain(`The CA file "${directory}/no.pem" cannot be read`);
    expect((await mlferry('inspect', 'prod', '--from-ca', `${directory}/other.pem`)).err).toContain(
      'other.pem',
    );
  });

  it('that is a file too is an error which says how each is written', async () => {
    await added('samples', 'samples/backup.tar');
    const { err, status } = await mlferry('inspect', 'samples');
    expect(err).toMatch(
      /^error LOCATION: "samples" is a named place, and a file.*\.\/samples.*place:samples/,
    );
    expect(status).toBe(2);
    expect(await mlferry('inspect', 'place:samples')).toMatchObject({ status: 0 });
    expect(await mlferry('inspect', './samples')).toMatchObject({ status: 0 });
    expect((await mlferry('inspect', 'place:nope')).err).toContain('Named places are samples');
  });
});

describe('the file of places', () => {
  it('is YAML that people may edit; comments stay', async () => {
    await added('prod', 'https://mlflow.example.com/ml?workspace=team', '--insecure');
    await writeFile(
      file(),
      `${await readFile(file(), 'utf8')}# ours\nold:\n  location: /data/mlruns # moved\n`,
    );
    await added('new', './mlruns', '--client-cert', '/etc/me.pem');
    expect(await readFile(file(), 'utf8')).toBe(
      `# Places of mlferry by name: mlferry place add NAME LOCATION. No secrets belong here.

prod:
  location: https://mlflow.example.com/ml?workspace=team
  insecure: true
# ours
old:
  location: /data/mlruns # moved
new:
  location: ${resolve('mlruns')}
  client_cert: /etc/me.pem
`,
    );
    const { out } = await mlferry('place', 'list', '--json');
    expect(JSON.parse(out).map(({ name }: { name: string }) => name)).toEqual(['prod', 'old', 'new']);
    expect((await mlferry('place', 'list')).out).toMatch(/^name +location +TLS\nprod +https.*not checked\n/);
    expect(await mlferry('place', 'remove', 'old')).toMatchObject({ status: 0 });
    expect(await readFile(file(), 'utf8')).not.toContain('/data/mlruns');
    expect((await mlferry('place', 'remove', 'prd')).err).toContain('Did you mean prod?');
  });

  it.each([
    ['sqlite:///here/mlflow.db', `sqlite:///${resolve('here/mlflow.db')}`],
    ['sqlite:////data/mlflow.db?workspace=team', 'sqlite:////data/mlflow.db?workspace=team'],
    ['postgresql+psycopg2://reader@host:5433/mlflow', 'postgresql+psycopg2://reader@host:5433/mlflow'],
    ['file:./mlruns', resolve('mlruns')],
    ['databricks://team', 'databricks://team'],
  ])('%s is kept from wherever it is used', async (given, kept) => {
    await added('db', given);
    const { out } = await mlferry('place', 'list', '--json');
    expect(JSON.parse(out)).toEqual([{ name: 'db', location: kept }]);
  });

  it.each([
    ['a: [1', 'is not YAML'],
    ['prod: http://host', 'is not a list of places'],
    ['prod:\n  location: http://host\n  token: x', 'is not a list of places'],
  ])('%j is refused by name', async (text, told) => {
    await mkdir(join(directory, 'config/mlferry'), { recursive: true });
    await writeFile(file(), text);
    const { err, status } = await mlferry('inspect', 'prod');
    expect(err).toContain(`${file()} ${told}`);
    expect(status).toBe(2);
  });

  it.each([
    [['prod', 'https://me:secret@host'], 'Credentials are not kept'],
    [['prod', 'https://host?token=abc'], 'Credentials are not kept'],
    [['prod', 'https://secret@host'], 'Credentials are not kept'],
    [['prod', 'postgresql://me:secret@host/mlflow'], 'Credentials are not kept'],
    [['prod', 'mysql://me@host/mlflow?password=secret'], 'Credentials are not kept'],
    [['prod', 'nope://x'], 'does not know places of this scheme'],
    [['a.tar', 'http://host'], 'cannot be the name of a place'],
    [['databricks', 'http://host'], 'cannot be the name of a place'],
    [['a/b', 'http://host'], 'cannot be the name of a place'],
  ])('%j is not taken', async (args, told) => {
    const { err, status } = await mlferry('place', 'add', ...args);
    expect(err).toContain(told);
    expect(err).not.toMatch(/secret|abc/);
    expect(status).toBe(2);
  });

  it('a name keeps its place unless it is overwritten', async () => {
    await added('prod', 'http://a');
    await added('prod', 'http://a');
    expect(await mlferry('place', 'add', 'prod', 'http://b')).toMatchObject({ status: 8 });
    await added('prod', 'http://b', '--overwrite');
    expect((await mlferry('place', 'list')).out).toContain('http://b');
  });

  it('stands where each system keeps configuration', () => {
    expect(configDir({ HOME: '/h' }, 'linux')).toBe('/h/.config/mlferry');
    expect(configDir({ HOME: '/h' }, 'darwin')).toBe('/h/Library/Application Support/mlferry');
    expect(configDir({ APPDATA: '/a' }, 'win32')).toBe('/a/mlferry');
  });
});
