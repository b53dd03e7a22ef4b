import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { z } from 'zod';
import { metricValue } from '../../src/model/metric-value.ts';
import { runStatus } from '../../src/model/records.ts';
import { openWriter } from '../../src/places/open.ts';
import { needsHistory } from '../../src/search/aggregates.ts';
import { evaluate } from '../../src/search/evaluate.ts';
import { parseSearch } from '../../src/search/parse-search.ts';
import { MlferryError } from '../../src/util/errors.ts';
import {
  makeExperiment,
  makeRun,
  testOptions,
  type Workspace,
  writeRuns,
} from '../places/memory-workspace.ts';
import { type Records, readRecords } from './archive-records.ts';

/** What docs/search-expressions.md shows, on an archive. */

const page = await readFile(new URL('../../docs/search-expressions.md', import.meta.url), 'utf8');
const section = (heading: string) =>
  page.split(/^## /m).find((part) => part.startsWith(`${heading}\n`)) ?? '';
const blocks = (markdown: string, language: string) =>
  [...markdown.matchAll(/^```(\w+)\n(.*?)^```$/gms)].flatMap(([, found, text = '']) =>
    found === language ? [text] : [],
  );
const lines = (text: string) => text.split('\n').filter((line) => line !== '');

const exampleRun = z.strictObject({
  run_name: z.string(),
  params: z.record(z.string(), z.string()),
  tags: z.record(z.string(), z.string()),
  metrics: z.record(z.string(), z.array(metricValue)),
  status: runStatus.default('FINISHED'),
  end_time: z.null().optional(),
});

async function exampleWorkspace(): Promise<Workspace> {
  const [text = ''] = blocks(section('Examples'), 'json');
  const runs = lines(text).map(async (line, index) => {
    const { metrics, tags, end_time, ...fields } = exampleRun.parse(JSON.parse(line));
    return makeRun(
      {
        ...fields,
        ...(end_time === null ? { end_time } : {}),
        run_id: String(index).repeat(32),
        tags: { ...tags, 'mlflow.runName': fields.run_name },
      },
      Object.entries(metrics)
        .sort(([a], [b]) => (a < b ? -1 : 1))
        .map(([key, values]) => [
          key,
          values
            .map((value, step) => [step, 1_700_000_000_000, value] as const)
            .map(([s, t, v]) => [s, t, v]),
        ]),
    );
  });
  return [{ experiment: makeExperiment(), runs: await Promise.all(runs) }];
}

const rows = [...section('Examples').matchAll(/^\| (`+)(.+?)\1 \| (.+) \|$/gm)].map(
  ([, , text = '', found = '']) => ({
    text,
    names: found.split(', '),
  }),
);

describe('the examples of the documentation', () => {
  let directory: string;
  let records: Records;

  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'mlferry-examples-'));
    const archive = join(directory, 'backup.tar');
    const writer = await openWriter(archive, testOptions(directory).options);
    await writeRuns(await exampleWorkspace(), writer, 1);
    await writer.finish();
    records = await readRecords(archive, directory);
  });
  afterAll(() => rm(directory, { recursive: true, force: true }));

  test('there are Databricks’ nine and more', () => {
    expect(rows.length).toBeGreaterThanOrEqual(18);
    expect(rows.map(({ text }) => text)).toEqual(
      expect.arrayContaining([
        'metrics.r2 > 0.3',
        'params.elasticNetParam = 0.5',
        'params.elasticNetParam = 0.5 AND metrics.avg_areaUnderROC > 0.3',
        'MIN(metrics.rmse) <= 1',
        'MAX(metrics.memUsage) > 0.9',
        'LATEST(metrics.memUsage) = 0 AND MIN(metrics.rmse) <= 1',
        'tags.estimator_name="RandomForestRegressor"',
        'tags.color="blue" AND tags.size=5',
        'tags.`my custom tag` = "my value"',
      ]),
    );
  });

  test.for(rows)('$text', ({ text, names }) => {
    const expression = parseSearch(text, 'runs');
    if (expression === undefined) throw new Error('empty');
    const isAsked = needsHistory(expression).size > 0;
    expect(isAsked).toBe(/MIN|MAX|FIRST|COUNT/.test(text));
    const found = records.runs.filter((run) =>
      evaluate(expression, run, isAsked ? records.aggregates(run) : undefined),
    );
    expect(found.map(({ run_name }) => run_name)).toEqual(names);
  });

  test('all expressions of the page can be read', () => {
    const texts = blocks(page, 'sql').flatMap(lines);
    expect(texts.length).toBeGreaterThan(3);
    for (const text of texts) expect(parseSearch(text, 'runs')).toBeDefined();
  });

  test('the error looks as the page has it', () => {
    const [block = ''] = blocks(section('Errors'), 'text');
    const [, text = ''] = block.split('\n');
    let error: unknown;
    try {
      parseSearch(text.trim(), 'runs');
    } catch (thrown) {
      error = thrown;
    }
    if (!(error instanceof MlferryError)) throw new Error('no error');
    expect(`${error.message}\n${error.hint}\n`).toBe(block);
  });
});
