/**
 * Measures what mlferry itself costs where no server is waited for, beside an older commit of this repository, both in
 * turn: `npm run bench:points [-- --base ce78755 --only many,one,start-up,small,server --small 50000]`. It prints
 * figures and judges nothing; docs/benchmarks.md says how to read them.
 */
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { startServer } from '../test/servers/start-server.ts';
import { buildVersion, removeVersion } from './base-version.ts';
import { makeMlruns, type Shape } from './make-mlruns.ts';
import { type Cost, costOf, startUpCost } from './measured-command.ts';

const { values } = parseArgs({
  options: {
    base: { type: 'string', default: 'ce78755' },
    only: { type: 'string', default: 'many,one,start-up,small,server' },
    small: { type: 'string', default: '50000' },
  },
});
const wanted = new Set(values.only.split(','));
const needsBase = ['many', 'one', 'start-up'].some((part) => wanted.has(part));

/** Two million points each. */
const SHAPES: Readonly<Record<'many' | 'one', Shape & { readonly title: string }>> = {
  many: { title: '1,000 runs × 20 keys × 100 points', runs: 1000, keys: 20, points: 100, files: 1 },
  one: { title: '1 run × 20 keys × 100,000 points', runs: 1, keys: 20, points: 100_000, files: 1 },
};
/** CPU of the older commit ÷ CPU of this one, at least. */
const GOALS = { backup: 3, restore: 3, verify: 4, inspect: 4 };
const SMALL: Omit<Shape, 'runs'> = { keys: 2, points: 2, files: 1 };
const FEW_RUNS = 500;
const ON_SERVER: Shape = { runs: 300, keys: 5, points: 5, files: 1 };
const STARTS = 20;

// Removed at the end only: where ext4 has no journal, making a file looks at each inode that was freed in the last minutes, which
// cost a restore more than all else did.
const scratch = mkdtempSync(join(tmpdir(), 'mlferry-points-'));
const base = join(scratch, 'base');
const programs = {
  base: join(base, 'bin', 'mlferry.js'),
  now: join(import.meta.dirname, '..', 'bin', 'mlferry.js'),
};
type Version = keyof typeof programs;

/** Costs of one way from `mlruns` to an archive and back, and of looking at the archive. */
type Costs = Readonly<Record<keyof typeof GOALS, Cost>>;

function measureAll(version: Version, mlruns: string, name: string): Costs {
  const archive = join(scratch, `${name}-${version}.tar`);
  const restored = join(scratch, `${name}-${version}`);
  const mlferry = (verb: string, ...args: string[]) => {
    const cost = costOf(scratch, [programs[version], verb, ...args]);
    console.error(`${name} ${version} ${verb}: ${fixed(cost.cpu)} CPU s, ${fixed(cost.peak, 0)} MB`);
    return cost;
  };
  return {
    backup: mlferry('backup', mlruns, archive, '-q'),
    restore: mlferry('restore', archive, restored, '-q'),
    verify: mlferry('verify', archive, '-q'),
    inspect: mlferry('inspect', archive),
  };
}

function printTable(heads: readonly string[], rows: ReadonlyArray<readonly string[]>): void {
  const lines = [heads, heads.map(() => '---'), ...rows];
  console.log(lines.map((cells) => `| ${cells.join(' | ')} |`).join('\n'), '\n');
}

const fixed = (value: number, digits = 2) => value.toFixed(digits);

function comparePoints(): void {
  const rows: string[][] = [];
  for (const [name, { title, ...shape }] of Object.entries(SHAPES)) {
    if (!wanted.has(name)) continue;
    const mlruns = join(scratch, `${name}-mlruns`);
    makeMlruns(mlruns, shape);
    const before = measureAll('base', mlruns, name);
    const now = measureAll('now', mlruns, name);
    for (const verb of ['backup', 'restore', 'verify', 'inspect'] as const) {
      const ratio = before[verb].cpu / now[verb].cpu;
      rows.push([
        ...[title, verb, fixed(before[verb].cpu), fixed(now[verb].cpu), `${fixed(ratio, 1)} ×`],
        ...[`${GOALS[verb]} ×`, fixed(before[verb].peak, 0), fixed(now[verb].peak, 0)],
      ]);
    }
  }
  if (rows.length === 0) return;
  const heads = ['runs', 'command', `CPU s ${values.base}`, 'CPU s now', 'ratio', 'goal'];
  printTable([...heads, `peak MB ${values.base}`, 'peak MB now (goal 200)'], rows);
}

function compareStartUps(): void {
  const commands = [
    { title: 'node -e 0', args: () => ['-e', '0'] },
    { title: 'mlferry --version', args: (program: string) => [program, '--version'] },
    { title: 'mlferry --help', args: (program: string) => [program, '--help'] },
    { title: 'mlferry copy --nope', args: (program: string) => [program, 'copy', '--nope'] },
  ];
  const rows = commands.map(({ title, args }) => [
    title,
    fixed(startUpCost(scratch, args(programs.base), STARTS), 3),
    fixed(startUpCost(scratch, args(programs.now), STARTS), 3),
    title.startsWith('node') ? '' : '0.15',
  ]);
  printTable(['start', `CPU s ${values.base}`, 'CPU s now', 'goal'], rows);
}

/** What a run costs must not depend on how many there are. */
function compareCounts(): void {
  const rows = [FEW_RUNS, Number(values.small)].map((runs) => {
    const mlruns = join(scratch, `small-${runs}`);
    makeMlruns(mlruns, { ...SMALL, runs });
    const { backup, restore } = measureAll('now', mlruns, `small-${runs}`);
    const each = ({ cpu, peak }: Cost) => [fixed(cpu), fixed((1000 * cpu) / runs), fixed(peak, 0)];
    return [String(runs), ...each(backup), ...each(restore)];
  });
  const of = (verb: string) => [`${verb} CPU s`, 'ms a run', 'peak MB'];
  printTable(['small runs', ...of('backup'), ...of('restore')], rows);
}

async function compareWithServer(): Promise<void> {
  await using server = await startServer();
  const mlruns = join(scratch, 'for-server');
  const archive = join(scratch, 'of-server.tar');
  makeMlruns(mlruns, ON_SERVER);
  const mlferry = (...args: string[]) => costOf(scratch, [programs.now, ...args]);
  mlferry('copy', mlruns, server.url, '-q');
  const backup = mlferry('backup', server.url, archive, '-q');
  const verified = mlferry('verify', server.url, archive, '-q');
  const row = [fixed(backup.cpu), fixed(verified.cpu), `${fixed(verified.cpu / backup.cpu)} ×`, '1.5 ×'];
  printTable(['backup SERVER, CPU s', 'verify SERVER ARCHIVE, CPU s', 'ratio', 'goal (most)'], [row]);
}

mkdirSync(join(scratch, 'state'), { recursive: true });
console.log(`Node ${process.versions.node}, ${cpus().length} cores, base ${values.base}\n`);
try {
  if (needsBase) buildVersion(values.base, base);
  comparePoints();
  if (wanted.has('start-up')) compareStartUps();
  if (wanted.has('small')) compareCounts();
  if (wanted.has('server')) await compareWithServer();
} finally {
  if (needsBase) removeVersion(base);
  rmSync(scratch, { recursive: true, force: true });
}
