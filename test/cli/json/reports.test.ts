import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough, Readable } from 'node:stream';
import type { Command } from 'commander';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Io } from '../../../src/cli/io.ts';
import { REPORTS, reportSchemas } from '../../../src/cli/json/reports.ts';
import { createProgram } from '../../../src/cli/program.ts';
import { schemaFiles } from '../../../src/kinds/schema-files.ts';
import { mlferry } from '../mlferry.ts';

let directory = '';
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'mlferry-json-'));
});
afterAll(() => rm(directory, { recursive: true, force: true }));

describe('schemas/reports/', () => {
  it('is what src/cli/json says (if not: npm run schemas)', async () => {
    const folder = new URL('../../../schemas/reports/', import.meta.url);
    const files = schemaFiles(reportSchemas());
    expect((await readdir(folder)).sort()).toEqual(Object.keys(files).sort());
    for (const [name, text] of Object.entries(files))
      expect(await readFile(new URL(name, folder), 'utf8')).toBe(text);
  });

  it('allows what later versions add', () => {
    expect(reportSchemas().summary).not.toHaveProperty('additionalProperties');
  });

  it.each([
    [['report'], 'report'],
    [['runs', 'delete'], 'change'],
    [['verify'], 'verification'],
    [['run'], 'run'],
    [[], 'record'],
  ])('schema %j prints that of %s', async (words, name) => {
    const { out } = await mlferry(['schema', ...words], directory);
    expect(JSON.parse(out)).toMatchObject({ title: `mlferry ${name}` });
  });

  it('names all schemas for a wrong one', async () => {
    const { err, status } = await mlferry(['schema', 'runs', 'nope'], directory);
    expect(err).toMatch(/"runs nope".*header.*verification/);
    expect(status).toBe(2);
  });
});

const NO_IO: Io = {
  stdin: Readable.from([]),
  stdout: new PassThrough(),
  stderr: new PassThrough(),
  environment: {},
  signal: new AbortController().signal,
  exit: () => undefined,
};

/** `runs list` … */
function commandsWithJson(command: Command, path = ''): string[] {
  const own = command.options.some(({ long }) => long === '--json') ? [path] : [];
  return [
    ...own,
    ...command.commands.flatMap((each) => commandsWithJson(each, `${path} ${each.name()}`.trim())),
  ];
}

// Its JSON is held against its schema by mlferry() in every test.
describe('with --json', () => {
  const archive = () => join(directory, 'a.tar');
  it('every command that has the option has a schema', () => {
    const known = Object.values(REPORTS).flatMap(({ commands }) => commands);
    expect(commandsWithJson(createProgram(NO_IO)).sort()).toEqual(known.toSorted());
  });

  it('what is done is one object', async () => {
    const made = await mlferry(
      ['backup', 'samples/mlruns', archive(), '--view', 'all', '--verify', '--json'],
      directory,
    );
    expect(made.status).toBe(0);
    for (const line of [
      ['verify', archive()],
      ['verify', 'samples/mlruns', archive(), '--all', '--view', 'all'],
      ['inspect', archive(), '--view', 'all'],
      ['inspect', archive(), '--explain', '-f', 'MAX(metrics.rmse) > 1', '--max-runs', '2'],
      ['runs', 'list', archive()],
      ['runs', 'list', archive(), '--columns', 'run_name,metrics.rmse,end_time'],
      ['experiments', 'list', archive()],
      ['jobs', 'list'],
    ]) {
      const { out, status } = await mlferry([...line, '--json'], directory);
      expect(status).toBe(0);
      expect(out.trim()).not.toBe('');
    }
  });

  it.each([
    [['copy', 'samples/mlruns'], 'USAGE'],
    [['nope'], 'USAGE'],
    [['runs', 'nope'], 'USAGE'],
    [['runs', 'list', 'samples/mlruns', '--columns', 'nope'], 'USAGE'],
    [['inspect', 'nowhere'], 'LOCATION'],
    [['import', '-', 'x'], 'TRUNCATED'],
    [['verify', 'samples/mlruns', '-f', 'metrics.'], 'EXPRESSION'],
    [['backup', 'ftp://x', 'a.tar'], 'LOCATION'],
    [['jobs', 'show', 'nope'], 'NOT_FOUND'],
    [['runs', 'delete', 'samples/mlruns', '--yes'], 'USAGE'],
  ])('a failure before the start is one object on stdout: %j', async (line, code) => {
    const { out, status } = await mlferry([...line, '--json'], directory);
    expect(JSON.parse(out)).toMatchObject({ error: { code }, exit_status: status });
  });
});
