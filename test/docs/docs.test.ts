import { execFile } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { PassThrough } from 'node:stream';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { type Command, CommanderError } from 'commander';
import { expect, test } from 'vitest';
import { choiceOf } from '../../src/cli/manage-values.ts';
import { parseOptions } from '../../src/cli/parse-options.ts';
import { createProgram } from '../../src/cli/program.ts';
import { inspect } from '../../src/inspect/inspect.ts';
import { LOSS_CODES } from '../../src/model/findings.ts';
import type { Ability } from '../../src/places/descriptor.ts';
import { placeAt, places } from '../../src/places/registry.ts';
import { errorCodes } from '../../src/util/errors.ts';
import { cleanEnvironment } from '../servers/clean-environment.ts';
import { mlferryArguments, shellCommands } from './shell-commands.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const run = promisify(execFile);
const read = (path: string) => readFileSync(join(ROOT, path), 'utf8');

const documents = [
  'README.md',
  ...readdirSync(join(ROOT, 'docs'))
    .filter((name) => name.endsWith('.md'))
    .map((name) => `docs/${name}`),
];

const shellBlocks = (markdown: string) =>
  [...markdown.matchAll(/^```sh\n(.*?)^```$/gms)].map((match) => match[1] ?? '');

/** First cells of the rows of the tables below a heading. */
function rowsBelow(markdown: string, heading: string): string[][] {
  const section = markdown.split(/^(?=## )/m).find((part) => part.startsWith(`${heading}\n`)) ?? '';
  return section
    .split('\n')
    .filter((line) => line.startsWith('| '))
    .map((line) =>
      line
        .split('|')
        .slice(1, -1)
        .map((cell) => cell.trim()),
    );
}

test('every loss code is explained in docs/compatibility.md, and no other', () => {
  const codes = [...LOSS_CODES];
  expect(codes).toContain('PARAM_TOO_LONG');
  const explained = rowsBelow(read('docs/compatibility.md'), '## Losses').flatMap(
    ([code = '']) => /^`([A-Z_]+)`$/.exec(code)?.[1] ?? [],
  );
  expect(explained.toSorted()).toEqual(codes.toSorted());
});

test('every error code stands in docs/errors.md with its exit status, and no other', () => {
  const table = read('docs/errors.md')
    .split('\n')
    .flatMap((line) => {
      const row = /^\| ([A-Z_]+) \| (\d+) \|/.exec(line);
      return row === null ? [] : [[row[1] ?? '', Number(row[2])] as const];
    });
  const codes = Object.entries(errorCodes).map(([code, { exit }]) => [code, exit]);
  expect(Object.fromEntries(table)).toEqual(Object.fromEntries(codes));
  expect(table).toHaveLength(codes.length);
});

test('docs/compatibility.md tells of every kind of place, in the order of one table, and of what can be done with it', () => {
  const rows = rowsBelow(read('docs/compatibility.md'), '## What each place holds');
  const row = (name: string) => rows.find(([head = '']) => head.startsWith(name))?.slice(1) ?? [];
  const kinds = row('`kind`').map((cell) => cell.replaceAll('`', ''));
  expect(kinds.toSorted()).toEqual(places.map(({ kind }) => kind).toSorted());
  for (const cells of rows) expect(cells).toHaveLength(kinds.length + 1);
  const told = kinds.map((kind) => places.find((place) => place.kind === kind));
  const can = (...abilities: Ability[]) =>
    told.map((place) => (abilities.every((ability) => place?.abilities.has(ability)) ? 'yes' : 'no'));
  expect(row('read')).toEqual(can('read'));
  expect(row('write')).toEqual(can('write'));
  expect(row('runs and experiments changed in place')).toEqual(can('manage'));
});

test('the main job of the README works as written, without any server', async () => {
  const section = read('README.md')
    .split(/^(?=## )/m)
    .find((part) => part.startsWith('## Try it, without any server\n'));
  const [block = ''] = shellBlocks(section ?? '');
  const lines = block.split('\n').filter((line) => line !== '' && !/^npm (ci|install)$/.test(line));
  expect(lines.length).toBeGreaterThanOrEqual(3);
  const directory = await mkdtemp(join(tmpdir(), 'mlferry-readme-'));
  try {
    const outputs: string[] = [];
    for (const line of lines) {
      const command = line.replaceAll('/tmp/mlferry-demo', `${directory}/demo`);
      expect(command).not.toContain('/tmp/mlferry-demo');
      // Rejects on any exit status but 0.
      const { stdout } = await run('sh', ['-c', command], {
        cwd: ROOT,
        env: { ...cleanEnvironment(), XDG_STATE_HOME: directory },
      });
      outputs.push(stdout);
    }
    const { total } = await inspect(join(ROOT, 'samples/mlruns'));
    expect(total.runs).toBeGreaterThan(0);
    expect(total.artifacts).toBeGreaterThan(0);
    expect((await inspect(`${directory}/demo/backup.tar`)).total).toEqual(total);
    expect((await inspect(`${directory}/demo/mlruns`)).total).toEqual(total);
    expect(outputs.join('')).toMatch(new RegExp(`^ +total +${total.runs} `, 'm'));
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
});

/** The commands that do something: those of groups instead of the group. */
function leaves(command: Command): Command[] {
  return command.commands.flatMap((child) => (child.commands.length > 0 ? leaves(child) : [child]));
}

/** The real command line, whose commands only parse; `help` has what it prints. */
function parser() {
  const stdout = new PassThrough();
  const stderr = new PassThrough();
  const io = {
    stdin: new PassThrough(),
    stdout,
    stderr,
    environment: {},
    signal: new AbortController().signal,
    exit: () => undefined,
  };
  const program = createProgram(io);
  for (const command of leaves(program)) {
    command.action(() => {
      const group = command.parent?.name();
      if (['show', 'compare', 'serve'].includes(command.name())) {
        // What follows the place of show is a run.
        const [place] = command.processedArgs;
        for (const each of Array.isArray(place) ? place : [place]) placeAt(String(each));
        return;
      }
      const others = ['schema', 'demo', 'completion', 'complete'];
      if (others.includes(command.name()) || group === 'jobs' || group === 'place') return;
      if (['artifacts', 'runs', 'experiments', 'models', 'alias'].includes(group ?? '')) {
        // What follows the place is a run, a name or a tag.
        placeAt(String(command.processedArgs[0]));
        if (Object.hasOwn(command.opts(), 'run')) choiceOf(command.opts());
        return;
      }
      parseOptions(command.opts());
      for (const place of command.processedArgs) placeAt(String(place));
    });
  }
  const printed = async () => {
    stdout.end();
    return text(stdout);
  };
  return { program, stderr, printed };
}

/** What the real command line has against these arguments; `undefined`: nothing. */
async function problemOf(args: readonly string[]): Promise<string | undefined> {
  const { program, stderr } = parser();
  try {
    await program.parseAsync([...args], { from: 'user' });
    return undefined;
  } catch (error) {
    if (error instanceof CommanderError && error.exitCode === 0) return undefined;
    stderr.end();
    return `mlferry ${args.join(' ')}: ${error instanceof Error ? error.message : String(error)} ${await text(stderr)}`;
  }
}

async function problemsOf(commands: readonly string[][]): Promise<string[]> {
  return (await Promise.all(commands.map(problemOf))).filter((problem) => problem !== undefined);
}

test.each(documents)('the command lines in %s are ones that mlferry takes', async (document) => {
  const commands = shellBlocks(read(document)).flatMap(mlferryArguments);
  if (document === 'README.md') expect(commands.length).toBeGreaterThan(5);
  expect(await problemsOf(commands)).toEqual([]);
});

test('the examples in --help are ones that mlferry takes', async () => {
  // The help of a group has the examples of its commands, where they are few.
  const paths = leaves(parser().program).map((command) => {
    const group = command.parent?.name() ?? 'mlferry';
    if (group === 'jobs' || group === 'place') return [group];
    if (group === 'mlferry') return [command.name()];
    if (group === 'alias') return ['models', group, command.name()];
    return [group, command.name()];
  });
  for (const path of paths) {
    const { program, printed } = parser();
    await program.parseAsync([...path, '--help'], { from: 'user' }).catch((error: unknown) => {
      if (!(error instanceof CommanderError) || error.exitCode !== 0) throw error;
    });
    const examples = (await printed()).split('\nExamples\n')[1] ?? '';
    const commands = mlferryArguments(examples);
    expect(commands.length, `examples of mlferry ${path.join(' ')}`).toBeGreaterThan(0);
    expect(await problemsOf(commands)).toEqual([]);
  }
});

test('a wrong command line would be noticed', async () => {
  expect(await problemOf(['copy', 'a', 'b', '--no-such-option'])).toContain('--no-such-option');
  expect(await problemOf(['backup', 'a'])).toContain('archive');
  expect(await problemOf(['restore', 'a.tar', 'b', 'c'])).toContain('too many arguments');
  expect(await problemOf(['copy', 'a', 'ftp://b'])).toContain('ftp');
  expect(await problemOf(['nonsense'])).toContain('nonsense');
  expect(shellCommands("# no\na 'b c' -d | e > f\nssh g mlferry --h \\\n  i\n")).toEqual([
    ['a', 'b c', '-d'],
    ['e'],
    ['ssh', 'g', 'mlferry', '--h', 'i'],
  ]);
});

test.each(documents)('the links in %s lead somewhere', (document) => {
  const links = [...read(document).matchAll(/\]\(([^)\s]+)\)/g)].map((match) => match[1] ?? '');
  const relative = links.filter((link) => !/^([a-z]+:|#)/i.test(link));
  const broken = relative.filter(
    (link) => !existsSync(join(ROOT, dirname(document), link.replace(/#.*$/, ''))),
  );
  expect(broken).toEqual([]);
});
