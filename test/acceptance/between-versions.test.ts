import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Difference, differences } from '../servers/compare-snapshots.ts';
import { makeWorkspace, takeSnapshot } from '../servers/mlflow-client.ts';
import type { Snapshot } from '../servers/snapshot.ts';
import { startServer, type TestServer } from '../servers/start-server.ts';
import { MLFLOW_VERSIONS, type MlflowVersion, NEWEST_MLFLOW } from '../servers/versions.ts';
import { readBothWays } from './database-lines.ts';
import { copyReport, type JsonReport } from './run-mlferry.ts';

interface Pair {
  readonly from: MlflowVersion;
  readonly to: MlflowVersion;
}

/** `MLFERRY_TEST_LONG=1`: every two versions; otherwise those with the newest, and the two old ones. */
const long = process.env.MLFERRY_TEST_LONG === '1';
const isChosen = ({ from, to }: Pair) =>
  long || [from, to].includes(NEWEST_MLFLOW) || (from.startsWith('2.') && to.startsWith('2.'));

const pairs: Pair[] = MLFLOW_VERSIONS.flatMap((from) =>
  MLFLOW_VERSIONS.filter((to) => to !== from).map((to) => ({ from, to })),
).filter(isChosen);

/** Tags of up to 8,000 characters came with 2.17, colons in keys with 2.16. */
const isOld = (version: MlflowVersion) => version.startsWith('2.9.');

/** The copies of every version's workspace stand side by side on each server, under names of their own. */
const copyOf = (name: string, from: MlflowVersion) => `copy from ${from}: ${name}`;

const EXPERIMENTS = ['Team A/*', '/Users/*', 'deleted experiment', 'empty experiment'];

/** A small workspace with everything that is hard to copy, between each two MLflow versions, in both directions. */
describe('between MLflow versions', () => {
  const servers = new Map<MlflowVersion, TestServer>();
  const snapshots = new Map<MlflowVersion, Snapshot>();
  const reports = new Map<string, JsonReport>();

  beforeAll(async () => {
    for (const [index, version] of MLFLOW_VERSIONS.entries()) {
      const server = await startServer({ version });
      servers.set(version, server);
      await makeWorkspace(server, 'small', index + 1);
    }
    for (const { from, to } of pairs) {
      const report = await copyReport([
        ...['copy', urlOf(from), urlOf(to), '--view', 'all', '--rename', `*=${copyOf('*', from)}`],
        ...EXPERIMENTS.flatMap((name) => ['-e', name]),
      ]);
      reports.set(`${from} ${to}`, report);
    }
    for (const [version, server] of servers) snapshots.set(version, await takeSnapshot(server));
  }, 1_800_000);
  afterAll(async () => {
    for (const server of servers.values()) await server.stop();
  });

  function urlOf(version: MlflowVersion): string {
    const server = servers.get(version);
    if (server === undefined) throw new Error(`No server of ${version}`);
    return server.url;
  }

  /** What a server's snapshot holds in the experiments whose names pass. */
  function part(version: MlflowVersion, wanted: (name: string) => boolean): Snapshot {
    const snapshot = snapshots.get(version);
    if (snapshot === undefined) throw new Error(`No snapshot of ${version}`);
    const experiments = snapshot.experiments.filter(({ name }) => name !== 'Default' && wanted(name));
    const ids = new Set(experiments.map(({ experiment_id }) => experiment_id));
    return { ...snapshot, experiments, runs: snapshot.runs.filter((run) => ids.has(run.experiment_id)) };
  }

  test.for(pairs)('$from → $to', ({ from, to }) => {
    const report = reports.get(`${from} ${to}`);
    const older = isOld(to);
    const runs = isOld(from) ? 27 : 28;
    expect(report).toMatchObject({ exit_status: 0, failures: [], runs: { created: runs, failed: 0 } });
    expect(report?.loss_counts).toEqual({
      PARENT_NOT_COPIED: 1,
      REFERENCE_KEPT: 1,
      ...(older ? { TAG_TOO_LONG: 2, KEY_NOT_ALLOWED: 3 } : {}),
    });
    const source = part(from, (name) => !name.startsWith('copy from '));
    const target = part(to, (name) => name.startsWith(copyOf('', from)));
    expect(source.runs).toHaveLength(runs);
    const lost = ({ object, field }: Difference) =>
      older &&
      ((object === 'run odd text' && /^tag longest/.test(field)) ||
        (object === 'run colons' && field.includes('a:b')));
    const found = differences(source, target, { renamed: (name) => copyOf(name, from), tolerate: lost });
    expect(found).toEqual([]);
  });

  test.for(MLFLOW_VERSIONS)('the database of %s says the same as its server', async (version) => {
    const server = servers.get(version);
    if (server === undefined) throw new Error(`No server of ${version}`);
    const { same, ...others } = await readBothWays(server);
    expect(others).toEqual({ onlyServer: [], onlyDatabase: [] });
    expect(same).toBeGreaterThan(400);
  });
});
