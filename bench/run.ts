/**
 * Measures mlferry beside mlflow-export-import and beside a bare client that sends the fewest requests possible, on
 * the same real MLflow servers: `npm run bench [-- --rounds 3 --runs 200 --workers 1]`. It prints figures and judges
 * nothing; docs/benchmarks.md says how to read them.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { startServer, type TestServer } from '../test/servers/start-server.ts';
import { checkContents } from './contents.ts';
import { SIZES } from './dataset.ts';
import { floorImport } from './floor-import.ts';
import { INCUMBENT, incumbentCommand, installIncumbent } from './incumbent.ts';
import { type Measurement, measure, median } from './measure.ts';

const EXPERIMENT = 'bench';
/** Runs in another experiment that every server gets before anything is measured, so that its code is loaded. */
const WARM_UP_RUNS = 8;

const tools = ['mlflow-export-import', 'mlferry', 'floor'] as const;
type Tool = (typeof tools)[number];
type Command = readonly [string, ...string[]];
interface Side {
  readonly title: string;
  readonly commands: Readonly<Record<Tool, (server: TestServer, round: number) => Command>>;
}

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '3' },
    runs: { type: 'string', default: String(SIZES.runs) },
    workers: { type: 'string', default: '1' },
    only: { type: 'string', multiple: true, default: [...tools] },
  },
});
const [rounds, runs, workers] = [Number(values.rounds), Number(values.runs), Number(values.workers)];
const measured = tools.filter((tool) => values.only.includes(tool));

const directory = mkdtempSync(join(tmpdir(), 'mlferry-bench-'));
const mlferry = join(import.meta.dirname, '..', 'bin', 'mlferry.js');
const script = (name: string) => join(import.meta.dirname, name);
const exported = (tool: string, round: number) =>
  join(directory, `${tool}-${round}${tool === 'mlferry' ? '.tar' : ''}`);

const exportSide: Side = {
  title: 'server to disk (export-experiment, mlferry backup)',
  commands: {
    'mlflow-export-import': (_server, round) => [
      incumbentCommand('export-experiment'),
      ...['--experiment', EXPERIMENT, '--output-dir', exported('mlflow-export-import', round)],
    ],
    mlferry: (server, round) => [
      process.execPath,
      ...[mlferry, 'backup', server.url, exported('mlferry', round), '--experiment', EXPERIMENT],
    ],
    floor: (server, round) => [
      process.execPath,
      ...[script('floor-export.ts'), server.url, EXPERIMENT, exported('floor', round)],
    ],
  },
};

const importSide: Side = {
  title: 'disk to a fresh server (import-experiment, mlferry restore)',
  commands: {
    'mlflow-export-import': () => [
      incumbentCommand('import-experiment'),
      ...['--experiment-name', EXPERIMENT, '--input-dir', exported('mlflow-export-import', 0)],
    ],
    mlferry: (server) => [process.execPath, mlferry, 'restore', exported('mlferry', 0), server.url],
    floor: (server) => [process.execPath, script('floor-import.ts'), server.url, EXPERIMENT, String(runs)],
  },
};

async function freshServer(): Promise<TestServer> {
  const server = await startServer({ workers });
  await floorImport(server.url, 'warm-up', WARM_UP_RUNS);
  return server;
}

/** Alternates the tools, each round beginning with another one. */
async function measureSide(
  side: Side,
  once: (command: (server: TestServer) => Command) => Promise<Measurement>,
): Promise<void> {
  const results = new Map<Tool, Measurement[]>(measured.map((tool) => [tool, []]));
  for (let round = 0; round < rounds; round += 1) {
    for (let turn = 0; turn < measured.length; turn += 1) {
      const tool = measured[(round + turn) % measured.length];
      if (tool === undefined) continue;
      const result = await once((server) => side.commands[tool](server, round));
      results.get(tool)?.push(result);
      console.error(
        `  round ${round + 1} ${tool}: ${result.seconds.toFixed(1)} s, ${result.requests} requests`,
      );
    }
  }
  console.log(table(side.title, results));
}

function table(title: string, results: ReadonlyMap<Tool, readonly Measurement[]>): string {
  const middle = (tool: Tool, what: keyof Measurement) =>
    median((results.get(tool) ?? []).map((measurement) => measurement[what]));
  const rows = [...results].map(([tool, measurements]) => [
    tool,
    middle(tool, 'seconds').toFixed(1),
    measurements.map(({ seconds }) => seconds.toFixed(1)).join(' '),
    `${(middle('mlflow-export-import', 'seconds') / middle(tool, 'seconds')).toFixed(2)} ×`,
    `${(middle(tool, 'seconds') / middle('floor', 'seconds')).toFixed(2)} ×`,
    middle(tool, 'serverCpu').toFixed(1),
    middle(tool, 'toolCpu').toFixed(1),
    (middle(tool, 'requests') / runs).toFixed(2),
  ]);
  const heads = [
    ...['tool', 'seconds (median)', 'each round', 'faster than incumbent', 'time / floor'],
    ...['CPU s server', 'CPU s tool', 'requests per run'],
  ];
  const lines = [heads, heads.map(() => '---'), ...rows].map((cells) => `| ${cells.join(' | ')} |`);
  return `\n${title}\n\n${lines.join('\n')}\n`;
}

installIncumbent();
console.log(
  `${runs} runs × (${SIZES.keys} keys × ${SIZES.points} points, ${SIZES.params} params, ${SIZES.tags} tags, ${SIZES.files} files), ${rounds} rounds`,
);
try {
  const source = await freshServer();
  console.log(
    `MLflow ${source.version} server (SQLite, proxied artifacts, workers: ${workers}), ${INCUMBENT}, Node ${process.versions.node}, ${cpus().length} cores`,
  );
  try {
    await floorImport(source.url, EXPERIMENT, runs);
    checkContents(source, EXPERIMENT, runs);
    await measureSide(exportSide, (command) => measure(source, command(source)));
  } finally {
    await source.stop();
  }
  await measureSide(importSide, async (command) => {
    await using target = await freshServer();
    const result = await measure(target, command(target));
    checkContents(target, EXPERIMENT, runs);
    return result;
  });
} finally {
  rmSync(directory, { recursive: true, force: true });
}
