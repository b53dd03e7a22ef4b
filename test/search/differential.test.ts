import fc from 'fast-check';
import { beforeAll, describe, expect, test } from 'vitest';
import { z } from 'zod';
import { compareRuns } from '../../src/search/compare-runs.ts';
import { evaluate, evaluateExperiment } from '../../src/search/evaluate.ts';
import type { SearchKind } from '../../src/search/expression.ts';
import { parseOrderBy } from '../../src/search/parse-order-by.ts';
import { parseSearch } from '../../src/search/parse-search.ts';
import { MlferryError } from '../../src/util/errors.ts';
import { mapConcurrent } from '../../src/util/map-concurrent.ts';
import { sharedServer } from '../servers/shared-server.ts';
import type { ServerOptions } from '../servers/start-server.ts';
import { archiveRecords, type Records } from './archive-records.ts';
import {
  conjunction,
  experimentCondition,
  nearly,
  orderBy,
  runCondition,
  tokenSoup,
} from './expression-texts.ts';
import { makeSearchWorkspace } from './make-search-workspace.ts';
import {
  accidentIn,
  asServerCompares,
  asServerReads,
  isPostgresqlsOwn,
  type Quirks,
} from './mlflow-quirks.ts';

/**
 * The judge of the search language: real MLflow servers with a hostile workspace answer generated expressions, and
 * the records of a backup of that workspace give the same answer, one by one. MLFERRY_TEST_LONG=1 asks many more.
 */

const isLong = process.env.MLFERRY_TEST_LONG === '1';
const EXPRESSIONS = isLong ? 9000 : 360;
const SEED = isLong ? Date.now() % 2 ** 31 : 20_240;

const newest: Quirks = { nanIsZero: false, listsAreLowerCase: false, isPostgresql: false };
const servers: ReadonlyArray<readonly [name: string, options: ServerOptions, quirks: Quirks]> = [
  ['MLflow 3.17.2 on SQLite', {}, newest],
  ['MLflow 2.22.5 on SQLite', { version: '2.22.5' }, { ...newest, nanIsZero: true, listsAreLowerCase: true }],
  ['MLflow 3.17.2 on PostgreSQL', { store: 'postgresql' }, { ...newest, isPostgresql: true }],
];

const answers = {
  runs: z.object({ runs: z.array(z.object({ info: z.object({ run_id: z.string() }) })).default([]) }),
  experiments: z.object({ experiments: z.array(z.object({ experiment_id: z.string() })).default([]) }),
};

/** The ids a server answers with, in its order; undefined when it refuses the expression. */
async function ask(url: string, kind: SearchKind, body: object): Promise<string[] | undefined> {
  const answer = await fetch(`${url}/api/2.0/mlflow/${kind}/search`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ max_results: 1000, ...body }),
  });
  const text = await answer.text();
  // 500: a database's own refusal (a column ordered by twice, a number too large, a pattern that ends in an escape).
  if (answer.status === 400 || answer.status === 500) return undefined;
  // 3.6 and older: conditions on datasets beside others make SQL that no database accepts.
  if (answer.status === 503 && text.includes('destination_id')) return undefined;
  if (!answer.ok) throw new Error(`${kind}/search: ${answer.status} ${text}`);
  const json: unknown = JSON.parse(text);
  return kind === 'runs'
    ? answers.runs.parse(json).runs.map(({ info }) => info.run_id)
    : answers.experiments.parse(json).experiments.map(({ experiment_id }) => experiment_id);
}

/** Few words for many ids. */
function summary(ids: readonly string[] | undefined): string {
  return ids === undefined ? 'refused' : `${ids.length}: ${ids.toSorted().join(' ').slice(0, 200)}`;
}

/** Expressions that are right, that are nearly right, and anything. */
function texts(condition: fc.Arbitrary<string>, count: number): string[] {
  const right = conjunction(condition);
  const all = fc.oneof(
    { weight: 7, arbitrary: right },
    { weight: 2, arbitrary: nearly(right) },
    { weight: 1, arbitrary: tokenSoup },
  );
  return [...new Set(fc.sample(all, { seed: SEED, numRuns: count }))];
}

describe.each(servers)('%s', (_name, options, quirks) => {
  const server = sharedServer(options);
  const isOld = options.version !== undefined;
  let url: string;
  let records: Records;
  let experiment_ids: string[];

  beforeAll(async () => {
    ({ url } = await server());
    experiment_ids = await makeSearchWorkspace(url, 7);
    records = await archiveRecords(url);
  });

  /** Our answer; undefined when the text is no expression for us. Throws what should never be thrown. */
  function ours(kind: SearchKind, text: string): string[] | undefined {
    try {
      const parsed = parseSearch(text, kind);
      const expression = parsed && asServerReads(parsed, quirks);
      if (kind === 'experiments') {
        return records.experiments
          .filter((experiment) => expression === undefined || evaluateExperiment(expression, experiment))
          .map(({ experiment_id }) => experiment_id);
      }
      return records.runs
        .map((run) => asServerCompares(run, quirks))
        .filter((run) => expression === undefined || evaluate(expression, run, records.aggregates(run)))
        .map(({ run_id }) => run_id);
    } catch (error) {
      if (error instanceof MlferryError && error.code === 'EXPRESSION') return undefined;
      throw error;
    }
  }

  /** What both say of each text: how often each case was, and every disagreement. */
  async function compareAnswers(kind: SearchKind, condition: fc.Arbitrary<string>, count: number) {
    const tally = {
      same: 0,
      found: 0,
      refusedByBoth: 0,
      extension: 0,
      database: 0,
      accidents: 0,
    };
    const disagreements: unknown[] = [];
    const view = kind === 'runs' ? { run_view_type: 'ALL', experiment_ids } : { view_type: 'ALL' };
    await mapConcurrent(texts(condition, count), 4, async (text) => {
      const theirs = await ask(url, kind, { filter: text, ...view });
      const mine = ours(kind, text);
      if (theirs === undefined) {
        if (mine === undefined) tally.refusedByBoth += 1;
        else tally.extension += 1;
      } else if (mine !== undefined && theirs.toSorted().join() === mine.toSorted().join()) {
        tally.same += 1;
        if (mine.length > 0 && mine.length < records.runs.length) tally.found += 1;
      } else if (quirks.isPostgresql && mine !== undefined && isPostgresqls(kind, text)) {
        tally.database += 1;
      } else {
        const accident = accidentIn(text);
        if (accident === undefined)
          disagreements.push({ text, theirs: summary(theirs), mine: summary(mine) });
        else tally.accidents += 1;
      }
    });
    // What is put down to them stays little.
    expect(tally.accidents).toBeLessThan(count / 50);
    expect(tally.database).toBeLessThan(quirks.isPostgresql ? count / 20 : 1);
    return { tally, disagreements };
  }

  const isPostgresqls = (kind: SearchKind, text: string) => {
    const expression = parseSearch(text, kind);
    return expression !== undefined && isPostgresqlsOwn(expression);
  };

  test(`${EXPRESSIONS} expressions find the same runs`, async () => {
    const condition = runCondition(
      records.runs.slice(0, 6).map(({ run_id }) => run_id),
      isOld,
    );
    const { tally, disagreements } = await compareAnswers('runs', condition, EXPRESSIONS);
    expect(disagreements).toEqual([]);
    expect(tally.same).toBeGreaterThan(EXPRESSIONS / 2);
    // Not all of them with all runs or none.
    expect(tally.found).toBeGreaterThan(EXPRESSIONS / 10);
  });

  test(`${EXPRESSIONS / 3} expressions find the same experiments`, async () => {
    const { tally, disagreements } = await compareAnswers(
      'experiments',
      experimentCondition(experiment_ids, isOld),
      EXPRESSIONS / 3,
    );
    expect(disagreements).toEqual([]);
    expect(tally.same).toBeGreaterThan(EXPRESSIONS / 10);
  });

  test(`${EXPRESSIONS / 10} orders put the runs in the same order`, async () => {
    const disagreements: unknown[] = [];
    let same = 0;
    const [experiment_id = ''] = experiment_ids;
    const runs = records.runs.filter((run) => run.experiment_id === experiment_id);
    await mapConcurrent(
      fc.sample(orderBy, { seed: SEED, numRuns: EXPRESSIONS / 10 }),
      4,
      async (order_by) => {
        const body = { order_by, run_view_type: 'ALL', experiment_ids: [experiment_id] };
        const theirs = await ask(url, 'runs', body);
        // A column twice is an error of the server's.
        if (theirs === undefined) return;
        const mine = runs
          .toSorted(compareRuns(order_by.map((text) => parseOrderBy(text))))
          .map(({ run_id }) => run_id);
        const place = mine.findIndex((run_id, index) => run_id !== theirs[index]);
        if (place < 0) same += 1;
        else disagreements.push({ order_by, place, theirs: theirs[place], mine: mine[place] });
      },
    );
    expect(disagreements).toEqual([]);
    expect(same).toBeGreaterThan(EXPRESSIONS / 20);
  });
});
