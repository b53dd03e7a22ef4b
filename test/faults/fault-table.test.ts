import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { copyBetween } from '../../src/copy/copy-between.ts';
import type { Report } from '../../src/copy/report.ts';
import { MlferryError } from '../../src/util/errors.ts';
import { takeSnapshot } from '../servers/mlflow-client.ts';
import { sharedServer } from '../servers/shared-server.ts';
import type { Snapshot } from '../servers/snapshot.ts';
import { differencesOfCopies } from './compare-copies.ts';
import { type Action, type Fault, type FaultProxy, startFaultProxy } from './proxy.ts';
import { seeded } from './seeded.ts';
import { makeSmallWorkspace } from './small-workspace.ts';

/**
 * `MLFERRY_TEST_LONG=1`: each fault at each hit of each route, in a copy of its own; otherwise at all routes in one copy, at
 * their first hits or their second ones, in turns.
 */
const long = process.env.MLFERRY_TEST_LONG === '1';

/** Repeats come at once. */
const QUICK = { MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR: '0.001', MLFLOW_HTTP_REQUEST_BACKOFF_JITTER: '0.001' };
/** Seconds after which a client gives up on a silent server in the cases that have one. */
const PATIENCE = '2';

const inAMoment = () => new Date(Date.now() + 1000).toUTCString();

/** What can happen to any request. */
const ANY: ReadonlyArray<[what: string, action: Action]> = [
  ['a connection cut before the server heard', { do: 'reset' }],
  ['429', { do: 'answer', status: 429 }],
  ['429, to be repeated in a second', { do: 'answer', status: 429, headers: { 'retry-after': '1' } }],
  ['503, to be repeated at a time', { do: 'answer', status: 503, headers: { 'retry-after': inAMoment() } }],
  ['500', { do: 'answer', status: 500 }],
  ['502', { do: 'answer', status: 502, body: '<html>Bad Gateway' }],
  ['504', { do: 'answer', status: 504, body: '' }],
  ['half a body', { do: 'half body', reply: 'cut' }],
  [
    'half a body under the length of half',
    { do: 'alter body', alter: (body) => body.subarray(0, body.length >> 1) },
  ],
  ['no body', { do: 'alter body', alter: () => Buffer.alloc(0) }],
  ['more bytes than announced', { do: 'long body' }],
];

/** What can happen to a request that changes something: the server does it, and nobody hears of it. */
const LOST: ReadonlyArray<[what: string, action: Action]> = [
  ['done, then cut', { do: 'commit', reply: 'reset' }],
  ['done, then 500', { do: 'commit', reply: 500 }],
  ['done, then 503', { do: 'commit', reply: 503 }],
  ['done, then 504', { do: 'commit', reply: 504 }],
];

const SILENT: ReadonlyArray<[what: string, action: Action]> = [
  ['silence', { do: 'hang' }],
  ['half a body, then silence', { do: 'half body', reply: 'hang' }],
];

/** Every other one has its turn at second hits. */
const inTurns = (faults: ReadonlyArray<[what: string, action: Action]>) =>
  faults.map(([what, action], index): [string, Action, number] => [what, action, index % 2]);

describe('a copy through faults is the same, or ends with exit 7 or a list and goes on', () => {
  const sourceServer = sharedServer();
  const targetServer = sharedServer();
  let from: FaultProxy;
  let to: FaultProxy;
  let stateDir: string;
  let source: Snapshot;
  /** Routes of a copy without faults, and how often each is asked. */
  let sourceRoutes: Array<[route: string, hits: number]>;
  let targetRoutes: Array<[route: string, hits: number]>;
  const prefixes: string[] = [];
  /** How the last copy through faults ended. */
  let lastStatus: number | undefined;

  beforeAll(async () => {
    stateDir = await mkdtemp(join(tmpdir(), 'mlferry-faults-'));
    const server = await sourceServer();
    from = await startFaultProxy(server.url);
    to = await startFaultProxy((await targetServer()).url);
    await makeSmallWorkspace(server.url);
    source = await takeSnapshot(server);
    const report = await copy(nextPrefix());
    expect(report).toMatchObject({ exit_status: 0, failures: [] });
    sourceRoutes = Object.entries(from.counts());
    targetRoutes = Object.entries(to.counts());
  });
  afterAll(async () => {
    await from?.close();
    await to?.close();
    await rm(stateDir, { recursive: true, force: true });
  });

  function nextPrefix(): string {
    const prefix = `copy-${prefixes.length}/`;
    prefixes.push(prefix);
    return prefix;
  }

  async function copy(prefix: string, environment: Readonly<Record<string, string>> = {}): Promise<Report> {
    const { report } = await copyBetween(from.url, to.url, {
      stateDir,
      environment: { ...QUICK, ...environment },
      selection: { experiments: ['main', 'gone'], view: 'all' },
      rename: [{ from: '*', to: `${prefix}*` }],
    });
    return report;
  }

  /**
   * Copies through the faults, and once more without if that did not bring everything over, or in any case (`again`);
   * returns what is wrong.
   */
  async function survive(
    faults: { from?: readonly Fault[]; to?: readonly Fault[] },
    environment: Readonly<Record<string, string>> = {},
    again = false,
  ): Promise<string[]> {
    const prefix = nextPrefix();
    from.play(faults.from ?? []);
    to.play(faults.to ?? []);
    let first: string;
    lastStatus = undefined;
    try {
      const { exit_status, error, failures } = await copy(prefix, environment);
      lastStatus = exit_status;
      if (exit_status === 0 && !again) return [];
      first = `${exit_status} ${error?.code} ${error?.message} ${JSON.stringify(failures)}`;
      if (![0, 3, 7].includes(exit_status)) return [`${prefix} ended with ${first}`];
    } catch (error) {
      if (!endsConnecting(error)) return [`${prefix} threw ${error}`];
      first = String(error);
    }
    from.play([]);
    to.play([]);
    const { exit_status, error, failures } = await copy(prefix);
    if (exit_status === 0) return [];
    return [
      `${prefix} ended with ${first}, then with ${exit_status} ${error?.message} ${JSON.stringify(failures)}`,
    ];
  }

  /** The fault at every route, at its hit of the number `turn` where there are so many. */
  const atAll = (
    action: Action,
    routes: ReadonlyArray<[route: string, hits: number]>,
    turn: number,
  ): Fault[] => routes.map(([route, hits]) => ({ route, nth: Math.min(turn, hits - 1), action }));

  /** The fault at every route of one side, in the long form at each hit by itself. */
  async function everywhere(
    side: 'from' | 'to',
    action: Action,
    routes: ReadonlyArray<[route: string, hits: number]>,
    turn: number,
    environment: Readonly<Record<string, string>> = {},
  ): Promise<string[]> {
    const wrong: string[] = [];
    const scripts: Fault[][] = long
      ? routes.flatMap(([route, hits]) => Array.from({ length: hits }, (_, nth) => [{ route, nth, action }]))
      : [atAll(action, routes, turn)];
    for (const script of scripts) {
      const found = await survive({ [side]: script }, environment);
      const where = long ? script.map(({ route, nth }) => `${route} ${nth}`).join() : `hit ${turn}`;
      wrong.push(...found.map((what) => `${where}: ${what}`));
    }
    return wrong;
  }

  const changing = () =>
    targetRoutes.filter(([route]) => !route.startsWith('GET') && !route.endsWith('/search'));

  test.for(inTurns(LOST))('at the target: %s', async ([, action, turn]) => {
    expect(await everywhere('to', action, changing(), turn)).toEqual([]);
  });

  /** On both sides: in the long form one after the other, otherwise in one copy. */
  async function onBothSides(
    action: Action,
    turn: number,
    some: (routes: ReadonlyArray<[string, number]>) => ReadonlyArray<[string, number]> = (routes) => routes,
    environment: Readonly<Record<string, string>> = {},
  ): Promise<string[]> {
    const [target, source] = [some(targetRoutes), some(sourceRoutes)];
    if (!long) {
      const script = { to: atAll(action, target, turn), from: atAll(action, source, 1 - turn) };
      return survive(script, environment);
    }
    return [
      ...(await everywhere('to', action, target, turn, environment)),
      ...(await everywhere('from', action, source, 1 - turn, environment)),
    ];
  }

  test.for(inTurns(ANY))('on both sides: %s', async ([, action, turn]) => {
    expect(await onBothSides(action, turn)).toEqual([]);
  });

  test.for(inTurns(SILENT))('on both sides: %s', async ([, action, turn]) => {
    const environment = { MLFLOW_HTTP_REQUEST_TIMEOUT: PATIENCE };
    const some = (routes: ReadonlyArray<[string, number]>) =>
      routes.filter(([route]) => long || /create|log-batch|PUT|get-history|GET mlflow-artifacts/.test(route));
    expect(await onBothSides(action, turn, some, environment)).toEqual([]);
  });

  const reads: ReadonlyArray<[what: string, routes: readonly string[]]> = [
    ['files', ['GET get-artifact', 'GET mlflow-artifacts/artifacts']],
    ['histories', ['GET metrics/get-history']],
    ['lists of runs', ['POST runs/search']],
    ['lists of files', ['GET artifacts/list', 'GET mlflow-artifacts/artifacts']],
  ];
  const bodies: ReadonlyArray<[what: string, action: Action]> = [
    ['cut in the middle', { do: 'half body', reply: 'cut' }],
    ['silent from the middle on', { do: 'half body', reply: 'hang' }],
    ['short, and said to be', { do: 'alter body', alter: (body) => body.subarray(0, body.length >> 1) }],
    [
      'longer, and said to be',
      { do: 'alter body', alter: (body) => Buffer.concat([body, Buffer.from('}')]) },
    ],
    ['empty', { do: 'alter body', alter: () => Buffer.alloc(0) }],
  ];
  const always = reads.flatMap(([what, routes]) =>
    (long || !what.startsWith('lists') ? bodies : bodies.slice(2, 3)).map(
      ([how, action]): [string, string, readonly string[], Action] => [what, how, routes, action],
    ),
  );
  test.for(always)('%s at the source, each body %s: never taken for whole', async ([, , routes, action]) => {
    const environment = { MLFLOW_HTTP_REQUEST_TIMEOUT: PATIENCE, MLFLOW_HTTP_REQUEST_MAX_RETRIES: '1' };
    const script = routes.map((route): Fault => ({ route, nth: 'every', action }));
    expect(await survive({ from: script }, environment)).toEqual([]);
    expect([3, 7]).toContain(lastStatus);
  });

  test.for(['reset', 500, 503] as const)('a part of each batch stored, then %s', async (reply) => {
    const hits = targetRoutes.find(([route]) => route === 'POST runs/log-batch')?.[1] ?? 0;
    expect(hits).toBeGreaterThan(4);
    const action: Action = { do: 'commit half', reply };
    expect(await survive({ to: [{ route: 'log-batch', nth: 0, times: hits, action }] })).toEqual([]);
    expect(await survive({ to: [{ route: 'log-batch', nth: 'every', action }] })).toEqual([]);
  });

  const late: ReadonlyArray<[route: string, after: string]> = [
    ['POST runs/create', 'POST runs/search'],
    ['POST experiments/create', 'GET experiments/get-by-name'],
    ['POST runs/log-batch', 'GET metrics/get-history'],
    ['POST runs/log-batch', 'POST runs/log-batch'],
    ['POST runs/update', 'POST runs/update'],
    ['POST runs/log-inputs', 'POST runs/log-inputs'],
    ['POST runs/delete', 'POST runs/delete'],
    ['POST experiments/delete', 'POST experiments/delete'],
    ['PUT mlflow-artifacts/artifacts', 'PUT mlflow-artifacts/artifacts'],
  ];
  // What lands after the last look of a pass is found by the next one.
  test.for(late)('%s done late, after %s', async ([route, after]) => {
    const turn = late.findIndex(([name, other]) => name === route && other === after) % 2;
    const hits = targetRoutes.find(([name]) => name === route)?.[1] ?? 0;
    expect(hits).toBeGreaterThan(0);
    const wrong: string[] = [];
    for (const requests of long ? [1, 2, 3] : [1 + 2 * turn]) {
      for (const nth of long ? Array(hits).keys() : [0]) {
        const action: Action = {
          do: 'commit late',
          reply: requests === 1 ? 'reset' : 504,
          after,
          requests,
        };
        wrong.push(...(await survive({ to: [{ route, nth, action }] }, {}, true)));
      }
    }
    expect(wrong).toEqual([]);
  });

  test('every create done late, one of them in an experiment that is deleted in the end', async () => {
    const hits = targetRoutes.find(([name]) => name === 'POST runs/create')?.[1] ?? 0;
    expect(hits).toBeGreaterThan(2);
    const action: Action = { do: 'commit late', reply: 'reset', after: 'POST runs/update', requests: 1 };
    expect(await survive({ to: [{ route: 'POST runs/create', nth: 0, times: hits, action }] })).toEqual([]);
    expect(to.lateRequests()).toBe(hits);
  });

  test('a server that is gone for good from any point on: exit 7, and it goes on', async () => {
    const total = targetRoutes.reduce((sum, [, hits]) => sum + hits, 0);
    const wrong: string[] = [];
    const points = long
      ? Array(total).keys()
      : [3, 0.3, 0.6, 0.9].map((share) => (share < 1 ? Math.floor(total * share) : share));
    for (const [index, nth] of [...points].entries()) {
      const actions: Action[] = [
        { do: 'answer', status: 503 },
        { do: 'commit', reply: 'reset' },
      ];
      for (const action of long ? actions : actions.slice(index % 2, (index % 2) + 1))
        wrong.push(...(await survive({ to: [{ route: '', nth, times: 1e9, action }] })));
    }
    expect(wrong).toEqual([]);
  });

  test.for([1, 2])('a storm of everything (%s)', async (seed) => {
    const random = seeded(seed);
    const bad = [...ANY, ...LOST].map(([, action]) => action);
    const script = (share: number): Fault[] =>
      Array.from({ length: 2000 }, (_, nth): Fault[] => {
        const action = bad[Math.floor(random() * bad.length)];
        return action !== undefined && random() < share ? [{ route: '', nth, action }] : [];
      }).flat();
    const wrong: string[] = [];
    for (const share of long ? [0.05, 0.1, 0.2, 0.3, 0.5] : [seed === 1 ? 0.1 : 0.3])
      wrong.push(...(await survive({ from: script(share), to: script(share) })));
    expect(wrong).toEqual([]);
  });

  test('all of these copies have everything once', async () => {
    expect(prefixes.length).toBeGreaterThan(40);
    const target = await takeSnapshot(await targetServer());
    expect(differencesOfCopies(source, target, prefixes)).toEqual([]);
  });
});

/** What a server that cannot be reached, or at whose address something else answers, ends a copy with before it begins. */
function endsConnecting(error: unknown): boolean {
  return error instanceof MlferryError && ['UNAVAILABLE', 'NOT_MLFLOW'].includes(error.code);
}
