import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { openWriter } from '../../src/places/open.ts';
import { makeExperiment, makeRun, testOptions, writeWorkspace } from '../places/memory-workspace.ts';
import { mlferry } from './mlferry.ts';

/** Turns text round, moves the cursor up, rings, and begins a line. */
const EVIL = 'gpj\u202efdp\u2066 \u001b[1A\u0007\u2028\u0085';

let dir: string;
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'mlferry-hostile-'));
  const runs = await Promise.all(
    ['1', '2'].map((digit) =>
      makeRun(
        {
          run_id: digit.repeat(32),
          run_name: EVIL,
          user_id: EVIL,
          params: { [EVIL]: EVIL },
          tags: { [EVIL]: EVIL, 'mlflow.runName': EVIL },
        },
        [[EVIL, [[0, 1_700_000_000_000, 0.5]]]],
        [[`${EVIL}.txt`, Buffer.from(digit)]],
      ),
    ),
  );
  const workspace = [{ experiment: makeExperiment({ name: EVIL, tags: { [EVIL]: EVIL } }), runs }];
  await writeWorkspace(workspace, await openWriter(join(dir, 'a.ndjson'), testOptions(dir).options));
  await cp(join(dir, 'a.ndjson'), join(dir, 'b.ndjson'));
  const text = await readFile(join(dir, 'b.ndjson'), 'utf8');
  await writeFile(join(dir, 'b.ndjson'), text.replaceAll('0.5', '0.25').replaceAll('"FINISHED"', '"FAILED"'));
});
afterAll(() => rm(dir, { recursive: true, force: true }));

it.each([
  ['runs', 'list', 'a.ndjson'],
  ['runs', 'list', 'a.ndjson', '--columns', 'run_name,experiment_name,user_id', '--wide'],
  ['experiments', 'list', 'a.ndjson'],
  ['inspect', 'a.ndjson'],
  ['inspect', 'a.ndjson', '-e', `${EVIL}x`],
  ['verify', 'a.ndjson', 'b.ndjson', '--all', '--losses', '--allow-edited'],
  ['copy', 'a.ndjson', 'target/mlruns', '--verify'],
  ['runs', 'delete', 'target/mlruns', '-f', "attributes.status = 'FINISHED'", '--dry-run'],
])('%s %s prints no name raw that would turn text round or move the cursor', async (...args) => {
  const located = args.map((arg) => (/^(a|b)\.ndjson$|^target/.test(arg) ? join(dir, arg) : arg));
  const { out, err } = await mlferry(located, join(dir, 'state'));
  expect(out + err).toContain('gpj');
  const shown = (out + err).replaceAll('\n', '');
  expect(shown.match(/[\p{Cc}\p{Zl}\p{Zp}\u202a-\u202e\u2066-\u2069]/gu)).toBeNull();
});
