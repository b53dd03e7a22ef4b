import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { NO_PLAN } from '../../src/manage/changes.ts';
import { readUndoFile, writeUndoFile } from '../../src/manage/undo-file.ts';

let directory: string;
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'mlferry-undo-'));
});
afterAll(() => rm(directory, { recursive: true, force: true }));

const place = { kind: 'server', location: 'http://a:5000', fingerprint: 'f' } as const;
const head = {
  kind: 'undo',
  version: 1,
  action: 'delete-runs',
  location: 'http://a:5000',
  fingerprint: 'f',
  time: 1,
  tool_version: '0.1.0',
};

it('holds every object of a plan, however many there are', async () => {
  const runs = Array.from({ length: 5000 }, (_, n) => ({
    run_id: `run-${n}`,
    experiment_id: '1',
    run_name: `"${n}"\n`,
    level: 0,
    before: { lifecycle_stage: 'active' },
    after: { lifecycle_stage: 'deleted' },
  })) satisfies typeof NO_PLAN.runs;
  const path = join(directory, 'many.ndjson');
  await writeUndoFile(path, 'delete-runs', place, { ...NO_PLAN, runs });
  const undo = await readUndoFile(path);
  expect(undo.runs.map(({ run_id, run_name }) => [run_id, run_name])).toEqual(
    runs.map(({ run_id, run_name }) => [run_id, run_name]),
  );
  await expect(writeUndoFile(path, 'delete-runs', place, NO_PLAN)).rejects.toMatchObject({
    code: 'CONFLICT',
  });
});

it.each<[string, string, string]>([
  ['of a newer version', JSON.stringify({ ...head, version: 99, more: true }), 'FORMAT'],
  ['without a head', '{"kind":"run"}', 'CORRUPT'],
  ['with a torn line', `${JSON.stringify(head)}\n{"kind":"run","run_id":`, 'CORRUPT'],
  ['without anything', '', 'CORRUPT'],
])('%s is refused', async (name, text, code) => {
  const path = join(directory, `${name}.ndjson`);
  await writeFile(path, text === '' ? '' : `${text}\n`);
  await expect(readUndoFile(path)).rejects.toMatchObject({ code });
});
