import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { copyBetween } from '../../../src/copy/copy-between.ts';
import { verify } from '../../../src/verify/verify.ts';
import { ENGINES } from './database-servers.ts';
import { fillEveryKind, objectsOf } from './every-kind.ts';
import { makeDatabase } from './make-database.ts';

/** Every kind of object from a database into others: all that there is, with ids, numbers and times. */

const TARGETS = ['SQLite', 'PostgreSQL'] as const;
const KINDS = [
  ...(['logged_model', 'registered_model', 'model_version', 'trace', 'scorer'] as const),
  ...(['evaluation_dataset', 'evaluation_dataset_record'] as const),
];

let directory: string;
let from: string;
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'mlferry-kinds-'));
  from = join(directory, 'source.db');
  fillEveryKind(from).close();
});
afterAll(() => rm(directory, { recursive: true, force: true }));

let targets = 0;
async function makeTarget(name: (typeof TARGETS)[number]) {
  if (name === 'SQLite') {
    targets += 1;
    const path = join(directory, `target${targets}.db`);
    makeDatabase(path).close();
    return { uri: `sqlite:///${path}`, drop: async () => undefined };
  }
  const engine = ENGINES.find((each) => each.name === name);
  return (await engine?.isThere()) === true ? engine?.make() : undefined;
}

const options = () => ({ selection: { view: 'all' }, toArtifactsRoot: directory }) as const;

function hashesIn(path: string): unknown {
  const database = new DatabaseSync(path, { readOnly: true });
  const rows = database.prepare('SELECT input_hash FROM evaluation_dataset_records ORDER BY 1').all();
  database.close();
  return rows;
}

describe.each(TARGETS)('into %s', (name) => {
  it('all kinds go as they are; again sends nothing', async ({ skip }) => {
    const target = await makeTarget(name);
    if (target === undefined) return skip(`${name} does not run here`);
    try {
      const { report } = await copyBetween(from, target.uri, options());
      expect(report).toMatchObject({ failures: [], losses: [], exit_status: 0 });
      for (const kind of KINDS) {
        const wanted = await objectsOf(from, kind, directory);
        expect(wanted.records.length, kind).toBeGreaterThan(0);
        expect(await objectsOf(target.uri, kind, directory), kind).toEqual(wanted);
      }
      const { items, exit_status } = await verify(from, target.uri, options());
      expect({ items, exit_status }).toEqual({ items: [], exit_status: 0 });
      // By this hash MLflow finds a record that is sent again.
      if (name === 'SQLite') expect(hashesIn(target.uri.slice(10))).toEqual(hashesIn(from));
      const again = (await copyBetween(from, target.uri, options())).report;
      for (const [counted, counts] of Object.entries(again.objects ?? {}))
        expect(counts, counted).toMatchObject({ created: 0, updated: 0, unchanged: counts.read });
    } finally {
      await target.drop();
    }
  });
});

describe('what a database has already', () => {
  it('of a name, number or alias is left as it is, and told; what is the very same counts as the copy', async () => {
    const path = join(directory, 'taken.db');
    const database = makeDatabase(path);
    const times = { creation_time: 1, last_updated_time: 1 };
    database.insert(
      'registered_models',
      { name: 'b', ...times, description: 'mine' },
      { name: 'greeting', ...times },
    );
    database.insert('registered_model_tags', {
      name: 'greeting',
      key: 'mlflow.prompt.is_prompt',
      value: 'true',
    });
    const version = { name: 'b', ...times, status: 'READY' };
    database.insert(
      'model_versions',
      { ...version, version: 2, source: 's3://mine', current_stage: 'None' },
      { ...version, version: 10, source: 'REDACTED-SOURCE-PATH', current_stage: 'Deleted_Internal' },
      { ...version, version: 12, source: 's3://mine', current_stage: 'None' },
      { ...version, name: 'greeting', version: 3, source: 'dummy-source', current_stage: 'None' },
    );
    database.insert(
      'model_version_tags',
      { name: 'greeting', version: 3, key: 'mlflow.prompt.is_prompt', value: 'true' },
      { name: 'greeting', version: 3, key: 'mlflow.prompt.text', value: 'x'.repeat(20_000) },
    );
    database.insert(
      'registered_model_aliases',
      { name: 'b', alias: 'own', version: 12 },
      { name: 'greeting', alias: 'production', version: 3 },
    );
    database.close();
    const uri = `sqlite:///${path}`;
    const { report } = await copyBetween(from, uri, options());
    expect(report).toMatchObject({
      exit_status: 3,
      failures: [
        { code: 'REFUSED', of: { id: 'b/2' }, message: expect.stringContaining('another one') },
        { code: 'REFUSED', of: { id: 'b/10' }, message: expect.stringContaining('deleted') },
      ],
      losses: [{ code: 'VALUE_CONFLICT', of: { id: 'b' } }],
      objects: { model_versions: { created: 2, unchanged: 1, failed: 2 } },
    });
    const reading = new DatabaseSync(path, { readOnly: true });
    const rows = (sql: string) =>
      reading
        .prepare(sql)
        .all()
        .map((row) => Object.values(row));
    expect(rows("SELECT description FROM registered_models WHERE name = 'b'")).toEqual([['mine']]);
    expect(rows("SELECT version, source FROM model_versions WHERE name = 'b' ORDER BY 1")).toEqual([
      ...[
        [2, 's3://mine'],
        [10, 'REDACTED-SOURCE-PATH'],
        [11, expect.stringContaining('b-')],
        [12, 's3://mine'],
      ],
    ]);
    expect(rows("SELECT alias, version FROM registered_model_aliases WHERE name = 'b'")).toEqual([
      ['own', 12],
    ]);
    expect(rows("SELECT creation_time FROM model_versions WHERE name = 'greeting'")).toEqual([[1]]);
    reading.close();
    const { items } = await verify(from, uri, options());
    expect(items.map(({ id, symbol }) => [id, symbol])).toEqual([
      ...[
        ['b', '+'],
        ['b/2', '+'],
        ['b/10', '+'],
      ],
    ]);
  });

  it('of what has to be made anew is told no more, and a workspace gets all kinds that live in one', async () => {
    const source = join(directory, 'secrets.db');
    const tables =
      'CREATE TABLE webhook_events (webhook_id VARCHAR(256), entity VARCHAR(50), action VARCHAR(50));' +
      ' CREATE TABLE workspaces (name VARCHAR(63))';
    const filled = fillEveryKind(source);
    filled.execute(tables);
    const hook = { webhook_id: 'w-1', name: 'told', url: 'https://example.com/hook', status: 'ACTIVE' };
    const webhook = { ...hook, creation_timestamp: 1, last_updated_timestamp: 2 };
    filled.insert('webhooks', webhook);
    filled.insert('webhook_events', { webhook_id: 'w-1', entity: 'registered_model', action: 'created' });
    filled.close();
    const path = join(directory, 'workspaces.db');
    const database = makeDatabase(path);
    database.execute(tables);
    database.insert('workspaces', { name: 'team-a' });
    const uri = `sqlite:///${path}?workspace=team-a`;
    const first = (await copyBetween(source, uri, options())).report;
    expect(first).toMatchObject({ exit_status: 3, failures: [], loss_counts: { MAKE_ANEW: 1 } });
    database.insert('webhooks', { ...webhook, webhook_id: 'other', workspace: 'team-a' });
    database.insert('webhook_events', { webhook_id: 'other', entity: 'registered_model', action: 'created' });
    database.close();
    const again = (await copyBetween(source, uri, options())).report;
    expect(again).toMatchObject({ exit_status: 0, failures: [], losses: [] });
    for (const kind of KINDS)
      expect(await objectsOf(uri, kind, directory), kind).toEqual(await objectsOf(source, kind, directory));
    const inDefault = await objectsOf(`sqlite:///${path}`, 'registered_model', directory);
    expect(inDefault).toEqual({ failures: [], records: [] });
  });
});
