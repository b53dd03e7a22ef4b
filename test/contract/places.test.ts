import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type CopyResult, copy } from '../../src/copy/copy.ts';
import { createLedger } from '../../src/job/ledger.ts';
import { copyDigest } from '../../src/kinds/copy-digest.ts';
import { ALL_PARTS } from '../../src/kinds/parts.ts';
import { COPY_TAG, DIGEST_TAG } from '../../src/model/canonical.ts';
import type { Point } from '../../src/model/records.ts';
import { ownValue } from '../../src/model/string-map.ts';
import { openReader, openWriter } from '../../src/places/open.ts';
import type { Reader, RunReader } from '../../src/places/place.ts';
import { placeAt } from '../../src/places/registry.ts';
import { MlferryError } from '../../src/util/errors.ts';
import { makeDatabase } from '../places/database/make-database.ts';
import {
  type MemoryRun,
  makeExperiment,
  makeRun,
  readerOptions,
  readWorkspace,
  testOptions,
  type Workspace,
} from '../places/memory-workspace.ts';
import { hasPostgresql } from '../servers/postgresql.ts';
import { sharedServer } from '../servers/shared-server.ts';
import { essenceOf } from './copies.ts';
import { memoryReader } from './memory-reader.ts';

/** The runs stand in their experiment. */
function workspaceOf(...parts: Workspace): Workspace {
  return parts.map(({ experiment, runs }) => ({
    experiment,
    runs: runs.map((each) => ({
      ...each,
      run: { ...each.run, experiment_id: experiment.experiment_id },
    })),
  }));
}

/** `MLFERRY_TEST_LONG=1`: every server is given every way to fail; otherwise the first one, and the others some ways each. */
const long = process.env.MLFERRY_TEST_LONG === '1';

interface Kind {
  readonly name: string;
  readonly location: (directory: string) => Promise<string>;
  /** Copying onto what is there completes it; otherwise the file is made anew. */
  readonly grows: boolean;
  /** SQL stores have neither ±Infinity nor -0. */
  readonly exactDoubles: boolean;
}

const server = sharedServer();
const plain = sharedServer({ artifacts: 'plain' });
const postgresql = sharedServer({ store: 'postgresql' });
const guarded = sharedServer({ auth: true });
const divided = sharedServer({ workspaces: true });
const oldest = sharedServer({ version: '2.9.2' });

/** A workspace of the server that has them, made when it is first asked for. */
async function workspaceLocation(): Promise<string> {
  const { url } = await divided();
  const answer = await fetch(`${url}/api/3.0/mlflow/workspaces`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: '{"name": "team-a"}',
  });
  // Made by an earlier test already: RESOURCE_ALREADY_EXISTS.
  if (!answer.ok && !(await answer.text()).includes('ALREADY_EXISTS')) throw new Error(`${answer.status}`);
  return `${url}?workspace=team-a`;
}

const onServer = { grows: true, exactDoubles: false };
const inFile = { grows: false, exactDoubles: true };
const file = (name: string) => async (directory: string) => join(directory, name);
const kinds: Kind[] = [
  { name: 'server', location: async () => (await server()).url, ...onServer },
  { name: 'server with a plain artifact root', location: async () => (await plain()).url, ...onServer },
  { name: 'server on PostgreSQL', location: async () => (await postgresql()).url, ...onServer },
  { name: 'server with passwords', location: async () => (await guarded()).url, ...onServer },
  { name: 'workspace of a server', location: workspaceLocation, ...onServer },
  { name: 'server of MLflow 2.9', location: async () => (await oldest()).url, ...onServer },
  { name: 'mlruns', location: file('mlruns'), grows: true, exactDoubles: true },
  {
    name: 'database',
    location: async (directory) => {
      const database = makeDatabase(join(directory, 'mlflow.db'));
      database.close();
      return database.path;
    },
    ...onServer,
  },
  { name: 'archive', location: file('a.tar'), ...inFile },
  { name: 'archive, gzip', location: file('a.tgz'), ...inFile },
  { name: 'archive, zstd', location: file('a.tar.zst'), ...inFile },
  { name: 'stream', location: file('a.ndjson'), ...inFile },
  { name: 'stream, gzip', location: file('a.ndjson.gz'), ...inFile },
  { name: 'stream, zstd', location: file('a.ndjson.zst'), ...inFile },
];

/** Ids that MLflow itself would give, different in each test: all tests share one server. */
let serial = 0;
const runId = (number: number) => (serial * 1000 + number).toString(16).padStart(32, '0');
const named = (name: string) => `contract ${serial}: ${name}`;

type RunParts = Parameters<typeof makeRun>;
function anyRun(number: number, fields: RunParts[0] = {}, metrics?: RunParts[1], artifacts?: RunParts[2]) {
  const run_name = fields.run_name ?? `run ${number}`;
  const base = {
    run_id: runId(number),
    run_name,
    start_time: 1_700_000_000_000 + number,
    // MLflow keeps the name in a tag too.
    tags: { ...fields.tags, 'mlflow.runName': run_name },
  };
  return makeRun({ ...fields, ...base }, metrics, artifacts);
}

async function fullRun(number: number): Promise<MemoryRun> {
  const long: Point[] = Array.from({ length: 1200 }, (_, step) => [step, 1_700_000_000_000 + step, step / 7]);
  return anyRun(
    number,
    {
      user_id: 'somebody ü',
      status: 'FAILED',
      params: { lr: '0.1', empty: '', text: 'a\nb "c" 😀' },
      tags: { note: 'ünï', empty: '' },
      dataset_inputs: [
        {
          dataset: {
            name: 'train',
            digest: `d${serial}-${number}`,
            source_type: 'local',
            source: '{"uri": "x"}',
            schema: '{}',
            profile: '{"n": 1}',
          },
          tags: { 'mlflow.data.context': 'training' },
        },
        {
          dataset: { name: 'eval', digest: `e${serial}-${number}`, source_type: 'http', source: '{}' },
          tags: {},
        },
      ],
    },
    [
      ['a/loss', long],
      [
        'acc',
        [
          [0, 5, 0.5],
          [1, 6, 0.25],
        ],
      ],
    ],
    [
      ['big.bin', Buffer.alloc(300_000, number + 1)],
      ['dir/empty.txt', Buffer.alloc(0)],
      ['dir/ünï cödé 100%.txt', Buffer.from('odd name')],
    ],
  );
}

describe.each(kinds.map((kind) => [kind.name, kind] as const))('%s', (_, kind) => {
  const { location: locate, grows, exactDoubles } = kind;
  let directory: string;
  let location: string;
  let environment: Readonly<Record<string, string>>;
  beforeEach(async ({ skip }) => {
    if (kind.name.includes('PostgreSQL') && !(await hasPostgresql()))
      skip('PostgreSQL is neither running nor installed');
    serial += 1;
    directory = await mkdtemp(join(tmpdir(), 'mlferry-contract-'));
    location = await locate(directory);
    const { username = '', password = '' } = kind.name.includes('passwords') ? await guarded() : {};
    environment = { MLFLOW_TRACKING_USERNAME: username, MLFLOW_TRACKING_PASSWORD: password };
  });
  afterEach(() => rm(directory, { recursive: true, force: true }));

  const artifactsDir = () => join(directory, 'artifacts');

  /** An open place is what the registry says of its location; what depends on the version of a server comes to that. */
  function expectDescribed({ info, traits }: Pick<Reader, 'info' | 'traits'>): void {
    const { descriptor } = placeAt(location);
    expect({ kind: info.kind, traits }).toMatchObject({ kind: descriptor.kind, traits: descriptor.traits });
  }

  /** The engine's copy from memory into the place. */
  async function write(
    workspace: Workspace,
    options: { spoil?: (reader: RunReader) => RunReader; overwrite?: boolean; signal?: AbortSignal } = {},
  ): Promise<CopyResult> {
    const ledger = createLedger();
    const selection = { experiments: [], runs: [], view: 'all' } as const;
    const signal = options.signal ?? new AbortController().signal;
    const made = testOptions(directory, {
      signal,
      environment,
      artifactsDir: artifactsDir(),
      selection,
      overwrite: options.overwrite ?? false,
    });
    const writer = await openWriter(location, { ...made.options, findings: ledger });
    expectDescribed(writer);
    return copy(memoryReader(workspace, options.spoil), writer, {
      ...{
        selection,
        ledger,
        concurrency: 4,
        rename: [],
        dryRun: false,
        signal,
      },
      parts: ALL_PARTS,
    });
  }

  async function read(names: readonly string[]): Promise<Workspace> {
    const { options } = readerOptions(directory, { environment, artifactsDir: artifactsDir() });
    const reader = await openReader(location, options);
    expectDescribed(reader);
    const workspace = await readWorkspace(reader, { experiments: names, runs: [], view: 'all' });
    // A whole copy that nobody changed says so, wherever it stands.
    const copies = workspace.flatMap(({ runs }) => runs).filter(({ run }) => ownValue(run.tags, DIGEST_TAG));
    for (const { run } of copies)
      expect([run.run_name, copyDigest(run)]).toEqual([run.run_name, ownValue(run.tags, COPY_TAG)]);
    return workspace;
  }

  const namesOf = (workspace: Workspace) => workspace.map(({ experiment }) => experiment.name);

  test('gives back all it was given', async () => {
    const workspace = workspaceOf(
      {
        experiment: makeExperiment({
          experiment_id: '11',
          name: named('first'),
          tags: { team: 'ü', empty: '' },
        }),
        runs: [await fullRun(1), await anyRun(2), await fullRun(3)],
      },
      {
        experiment: makeExperiment({ experiment_id: '12', name: named('/second/ 😀') }),
        runs: [await anyRun(4)],
      },
      { experiment: makeExperiment({ experiment_id: '13', name: named('empty') }), runs: [] },
    );
    const { report, ids } = await write(workspace);
    expect(report).toMatchObject({ exit_status: 0, failures: [], losses: [], runs: { created: 4 } });
    expect(report.sent).toEqual({ points: 2 * 1202, artifacts: 6, artifact_bytes: 2 * 300_008 });
    expect([...ids.of('run').keys()].sort()).toEqual([1, 2, 3, 4].map(runId));
    expect(essenceOf(await read(namesOf(workspace)))).toEqual(essenceOf(workspace));
  });

  test('keeps every double, integer and key', async () => {
    const odd: Array<[string, Point[]]> = [
      ['__proto__', [[1, 1, 1]]],
      [
        'denormal',
        [
          [0, 0, 5e-324],
          [1, 0, -2.5e-320],
        ],
      ],
      [
        'infinite',
        [
          [0, 1, 'Infinity'],
          [1, 2, '-Infinity'],
          [2, 3, 3],
        ],
      ],
      [
        'large',
        [
          ['9007199254740993', '9007199254740995', 1],
          ['9223372036854775807', 7, 2],
        ],
      ],
      ['minus zero', [[0, 1, -0]]],
      [
        'nan',
        [
          [0, 1, 'NaN'],
          [1, 1, 'NaN'],
          [2, 1, 1],
        ],
      ],
      [
        'negative',
        [
          [-5, 1, 1],
          ['-9007199254740993', 1, 2],
        ],
      ],
      [
        'precise',
        [
          [0, 1, 0.1 + 0.2],
          [1, 1, 1.7976931348623157e308],
          [2, 1, 1e22],
        ],
      ],
      [
        'same step',
        [
          [7, 1, 1],
          [7, 1, 2],
          [7, 2, 3],
        ],
      ],
    ];
    const proto = Object.fromEntries([
      ['__proto__', 'own'],
      ['constructor', 'own'],
    ]);
    const make = async (metrics: typeof odd): Promise<Workspace> =>
      workspaceOf({
        experiment: makeExperiment({ experiment_id: '14', name: named('odd'), tags: proto }),
        runs: [
          await makeRun(
            {
              run_id: runId(1),
              run_name: 'odd',
              params: proto,
              tags: Object.fromEntries([...Object.entries(proto), ['mlflow.runName', 'odd']]),
            },
            metrics,
          ),
        ],
      });
    const largest = Number.MAX_VALUE;
    const inSql = odd.map(([key, points]): [string, Point[]] => [
      key,
      points.map(
        ([step, time, value]): Point => [
          step,
          time,
          value === 'Infinity'
            ? largest
            : value === '-Infinity'
              ? -largest
              : Object.is(value, -0)
                ? 0
                : value,
        ],
      ),
    ]);
    const { report } = await write(await make(odd));
    expect(report).toMatchObject({ exit_status: 0, failures: [] });
    expect(report.loss_counts).toEqual(exactDoubles ? {} : { INFINITY_CLAMPED: 2, NEGATIVE_ZERO: 1 });
    expect(essenceOf(await read([named('odd')]))).toEqual(essenceOf(await make(exactDoubles ? odd : inSql)));
  });

  test('keeps empty, running and deleted runs and deleted experiments', async () => {
    const workspace = workspaceOf(
      {
        experiment: makeExperiment({ experiment_id: '15', name: named('stages') }),
        runs: [
          await anyRun(1),
          await anyRun(2, { status: 'RUNNING', end_time: null }),
          await anyRun(3, { status: 'SCHEDULED', end_time: null }),
          await anyRun(
            4,
            { status: 'KILLED', lifecycle_stage: 'deleted', params: { a: 'b' } },
            [['m', [[0, 1, 2]]]],
            [['f', Buffer.from('x')]],
          ),
        ],
      },
      {
        experiment: makeExperiment({ experiment_id: '16', name: named('gone'), lifecycle_stage: 'deleted' }),
        runs: [
          await anyRun(5, { lifecycle_stage: 'deleted' }, [['m', [[0, 1, 2]]]], [['f', Buffer.from('x')]]),
        ],
      },
    );
    const { report } = await write(workspace);
    expect(report).toMatchObject({ exit_status: 0, failures: [], losses: [], runs: { created: 5 } });
    expect(essenceOf(await read(namesOf(workspace)))).toEqual(essenceOf(workspace));
  });

  const spoiled: Array<[how: string, code: string, spoil: (reader: RunReader) => RunReader]> = [
    [
      'its metrics end in an error',
      'SOURCE_ITEM',
      (reader) => ({
        ...reader,
        async *metrics() {
          for await (const points of reader.metrics()) {
            yield points;
            throw new MlferryError('SOURCE_ITEM', 'A file cannot be read');
          }
        },
      }),
    ],
    [
      'a body ends in an error',
      'SHORT_BODY',
      (reader) => ({
        ...reader,
        open: async () =>
          Readable.from(
            (async function* () {
              yield Buffer.from('half');
              throw new MlferryError('SHORT_BODY', 'The body is short');
            })(),
            { objectMode: false },
          ),
      }),
    ],
    [
      'a body is short',
      'SHORT_BODY',
      (reader) => ({
        ...reader,
        open: async () => Readable.from([Buffer.from('short')], { objectMode: false }),
      }),
    ],
    [
      'a body is empty',
      'SHORT_BODY',
      (reader) => ({ ...reader, open: async () => Readable.from([], { objectMode: false }) }),
    ],
    [
      'the last file cannot be opened',
      'SOURCE_ITEM',
      (reader) => ({
        ...reader,
        open: async (artifact) => {
          if (artifact.path.startsWith('dir/ü')) throw new MlferryError('SOURCE_ITEM', 'It is gone');
          return reader.open(artifact);
        },
      }),
    ],
    [
      'the list of files ends in an error',
      'SOURCE_ITEM',
      (reader) => ({
        ...reader,
        async *artifacts() {
          for await (const artifact of reader.artifacts()) {
            yield artifact;
            throw new MlferryError('SOURCE_ITEM', 'The directory cannot be read');
          }
        },
      }),
    ],
    [
      'a body is long',
      'SHORT_BODY',
      (reader) => ({
        ...reader,
        open: async () => Readable.from([Buffer.alloc(400_000)], { objectMode: false }),
      }),
    ],
  ];
  const sharesWriter = grows && kind.name.includes('server') && kind.name !== 'server';
  const ways = spoiled.filter((_, way) => long || !sharesWriter || way % 6 === kinds.indexOf(kind) % 6);
  // The engine stops; how a server is left half-way is the same for all of them.
  const stopped = long || !sharesWriter ? [kind.name] : [];
  const FILES = new Set([
    'a body ends in an error',
    'a body is short',
    'a body is empty',
    'the last file cannot be opened',
    'a body is long',
  ]);
  test.for(ways)(
    'a run of which %s is not taken for whole, the others are there',
    async ([way, code, spoil]) => {
      const workspace = workspaceOf({
        experiment: makeExperiment({ experiment_id: '17', name: named('one fails') }),
        runs: [await fullRun(1), await fullRun(2), await fullRun(3)],
      });
      const names = namesOf(workspace);
      const spoilSecond = (reader: RunReader) => (reader.run.run_id === runId(2) ? spoil(reader) : reader);
      const { report } = await write(workspace, { spoil: spoilSecond });
      // A file costs itself alone.
      const isFile = FILES.has(way);
      const runs = isFile ? { created: 3, failed: 0 } : { created: 2, failed: 1 };
      expect(report).toMatchObject({ exit_status: 3, runs });
      expect(new Set(report.failures.map((failure) => failure.code))).toEqual(new Set([code]));
      const there = (await read(names)).flatMap(({ runs }) => runs);
      // What is not whole has no digest, or says so, and does not count as there.
      const whole = there.filter(({ run }) =>
        grows ? Object.hasOwn(run.tags, DIGEST_TAG) : run.incomplete !== true,
      );
      expect(whole.map(({ run }) => run.run_name).sort()).toEqual(['run 1', 'run 3']);

      const { report: mended } = await write(workspace, { overwrite: true });
      expect(mended).toMatchObject({
        exit_status: 0,
        failures: [],
        losses: [],
        runs: { failed: 0, unchanged: grows ? 2 : 0 },
      });
      expect(essenceOf(await read(names))).toEqual(essenceOf(workspace));
    },
  );

  test.for(stopped)('what stops the whole copy to %s leaves no file that looks complete', async () => {
    const workspace = workspaceOf({
      experiment: makeExperiment({ experiment_id: '18', name: named('stopped') }),
      runs: [await fullRun(1), await fullRun(2)],
    });
    const spoil = (reader: RunReader): RunReader =>
      reader.run.run_id === runId(1)
        ? reader
        : {
            ...reader,
            // biome-ignore lint/correctness/useYield: it fails before its first point
            async *metrics() {
              throw new MlferryError('UNAVAILABLE', 'The source went away');
            },
          };
    const { report } = await write(workspace, { spoil });
    expect(report).toMatchObject({ exit_status: 7, error: { code: 'UNAVAILABLE' } });
    if (!grows)
      expect(await readdir(directory)).not.toContainEqual(expect.stringMatching(/^a\.(?!\w+\.partial$)/));
    const { report: again } = await write(workspace);
    expect(again).toMatchObject({ exit_status: 0, failures: [] });
    expect(essenceOf(await read(namesOf(workspace)))).toEqual(essenceOf(workspace));
  });

  test.for(stopped)(
    'a body that hangs ends with the copy to %s, and leaves no file that looks complete',
    async () => {
      const workspace = workspaceOf({
        experiment: makeExperiment({ experiment_id: '21', name: named('hangs') }),
        runs: [await fullRun(1), await fullRun(2)],
      });
      const interrupt = new AbortController();
      const hanging = () => {
        const body = new Readable({ read: () => undefined });
        // As bodies of servers have: it may end before anybody listens.
        body.on('error', () => undefined);
        interrupt.signal.addEventListener('abort', () => body.destroy(interrupt.signal.reason));
        setImmediate(() => interrupt.abort());
        return body;
      };
      const spoil = (reader: RunReader): RunReader =>
        reader.run.run_id === runId(1) ? reader : { ...reader, open: async () => hanging() };
      const { report } = await write(workspace, { spoil, signal: interrupt.signal });
      expect(report).toMatchObject({ exit_status: 130, error: { code: 'INTERRUPTED' } });
      if (!grows) expect(await readdir(directory)).not.toContainEqual(expect.stringMatching(/^a\./));
      const { report: again } = await write(workspace);
      expect(again).toMatchObject({ exit_status: 0, failures: [] });
      expect(essenceOf(await read(namesOf(workspace)))).toEqual(essenceOf(workspace));
    },
  );

  test('the same again', async () => {
    const workspace = workspaceOf({
      experiment: makeExperiment({ experiment_id: '19', name: named('again') }),
      runs: [await fullRun(1), await anyRun(2)],
    });
    await write(workspace);
    if (grows) {
      const { report } = await write(workspace);
      expect(report).toMatchObject({
        ...{
          exit_status: 0,
          losses: [],
          experiments: { created: 0 },
          runs: { created: 0, updated: 0, unchanged: 2 },
        },
        sent: { points: 0, artifacts: 0, artifact_bytes: 0 },
      });
    } else {
      await expect(write(workspace)).rejects.toMatchObject({ code: 'CONFLICT' });
    }
    expect(essenceOf(await read(namesOf(workspace)))).toEqual(essenceOf(workspace));
  });

  test('says which selected names and ids it does not have', async () => {
    const workspace = workspaceOf({
      experiment: makeExperiment({ experiment_id: '20', name: named('there') }),
      runs: [await anyRun(1)],
    });
    await write(workspace);
    const { options, failures } = readerOptions(directory, { environment, artifactsDir: artifactsDir() });
    const reader = await openReader(location, options);
    const selection = {
      experiments: [named('there'), named('not there')],
      runs: [],
      view: 'active',
    } as const;
    const found = await readWorkspace(reader, selection);
    expect(namesOf(found)).toEqual([named('there')]);
    expect(failures).toMatchObject([{ object: expect.stringContaining(named('not there')) }]);
  });
});
