import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { FORMAT_VERSION } from '../../src/kinds/kinds.ts';
import { canonicalLine, parseRecord, type WireRecord } from '../../src/kinds/wire-record.ts';
import { DIGEST_TAG, ORIGIN_TAG, originRunId, runDigest } from '../../src/model/canonical.ts';
import type { Run } from '../../src/model/records.ts';
import { anyWorkspace } from '../places/arbitraries.ts';
import { makeExperiment, makeRun } from '../places/memory-workspace.ts';

const reversed = <T>(map: Readonly<Record<string, T>>) => Object.fromEntries(Object.entries(map).reverse());

async function recordsOf(make: Parameters<Parameters<typeof anyWorkspace.map>[0]>[0]): Promise<WireRecord[]> {
  return (await make()).flatMap(({ experiment, runs }) => [experiment, ...runs.map(({ run }) => run)]);
}

function readBack(line: string): WireRecord {
  const { record } = parseRecord(JSON.parse(line), FORMAT_VERSION);
  if (record === undefined) throw new Error(`no record: ${line}`);
  return record;
}

describe('canonicalLine', () => {
  it('is read back as the same record, with the same line', async () => {
    await fc.assert(
      fc.asyncProperty(anyWorkspace, async (make) => {
        for (const record of await recordsOf(make)) {
          const line = canonicalLine(record);
          const back = readBack(line);
          expect(canonicalLine(back)).toBe(line);
          expect(back).toEqual(
            record.kind === 'run' ? { ...record, dataset_inputs: expect.anything() } : record,
          );
        }
      }),
    );
  });

  it('does not depend on the order of keys', async () => {
    await fc.assert(
      fc.asyncProperty(anyWorkspace, async (make) => {
        for (const record of await recordsOf(make)) {
          if (record.kind !== 'run') continue;
          const { params, tags, latest_metrics, ...rest } = record;
          const turned: Run = {
            latest_metrics: reversed(latest_metrics),
            tags: reversed(tags),
            params: reversed(params),
            ...rest,
          };
          expect(canonicalLine(turned)).toBe(canonicalLine(record));
          expect(runDigest(turned)).toBe(runDigest(record));
        }
      }),
    );
  });
});

describe('runDigest', () => {
  it('does not see where a run stands, nor our own marks', async () => {
    const { run } = await makeRun({ tags: { a: '1' } });
    const moved = {
      ...run,
      experiment_id: '99',
      artifact_uri: 's3://elsewhere',
      deleted_time: 5,
      tags: { ...run.tags, [ORIGIN_TAG]: 'f/1', [DIGEST_TAG]: 'd' },
    };
    expect(runDigest(moved)).toBe(runDigest(run));
  });

  it('sees every other field', async () => {
    const { run } = await makeRun({}, [['m', [[0, 0, 0]]]]);
    const changes: Partial<Run>[] = [
      { run_id: 'other' },
      { run_name: 'other' },
      { user_id: 'other' },
      { status: 'FAILED' },
      { start_time: 0 },
      { start_time: null },
      { end_time: null },
      { lifecycle_stage: 'deleted' },
      { params: Object.fromEntries([['__proto__', '']]) },
      { tags: { x: '' } },
      { latest_metrics: { m: [0, 0, -0] } },
      { latest_metrics: {} },
      { dataset_inputs: [{ dataset: { name: 'd', digest: '1', source_type: 's', source: '{}' }, tags: {} }] },
    ];
    const digests = changes.map((change) => runDigest({ ...run, ...change }));
    expect(new Set([runDigest(run), ...digests]).size).toBe(changes.length + 1);
  });
});

it('tells an experiment’s absent times from any time', () => {
  const { creation_time, last_update_time, ...rest } = makeExperiment();
  const without = readBack(canonicalLine({ ...rest, kind: 'experiment' }));
  expect(without).not.toHaveProperty('creation_time');
});

it('finds the run in an origin whose fingerprint has slashes', () => {
  expect(originRunId('a/b/c')).toBe('c');
});
