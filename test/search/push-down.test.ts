import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { dialectOf, weaker } from '../../src/search/dialects.ts';
import { formatExpression } from '../../src/search/format-expression.ts';
import { parseOrderBy } from '../../src/search/parse-order-by.ts';
import { pushDown, pushOrder } from '../../src/search/push-down.ts';
import { DATABRICKS_EXAMPLES } from './databricks-examples.ts';
import { anExpression, aRun, fits, parsed } from './runs-and-expressions.ts';

const mlflow = (...version: number[]) => dialectOf({ databricks: false, version, database: true });
const NEWEST = mlflow(3, 17, 2);
const OLDEST = mlflow(2, 9, 2);
const FILESTORE = dialectOf({ databricks: false, version: [3, 17, 2], database: false });
const UNKNOWN = dialectOf({ databricks: false, version: undefined, database: true });
const DATABRICKS = dialectOf({ databricks: true, version: undefined, database: true });
const DIALECTS = [NEWEST, OLDEST, FILESTORE, UNKNOWN, DATABRICKS];

const split = (text: string, dialect = NEWEST) => {
  const { filter, rest, recheck } = pushDown(parsed(text), dialect);
  return [filter, rest && formatExpression(rest), recheck && formatExpression(recheck)];
};
const pushed = (text: string, dialect = NEWEST) => split(text, dialect)[0];
const rest = (text: string, dialect = NEWEST) => split(text, dialect)[1];

describe("the examples of Databricks' documentation", () => {
  test.each(DATABRICKS_EXAMPLES)('%s is pushed whole to Databricks', (text, databricks) => {
    const { filter, rest } = pushDown(parsed(text), DATABRICKS);
    expect(filter).toBe(databricks);
    expect(rest).toBeUndefined();
  });

  test.each(DATABRICKS_EXAMPLES)(
    '%s is pushed to MLflow without its aggregates',
    (text, _databricks, mlflow) => {
      expect(pushed(text)).toBe(mlflow);
    },
  );
});

describe('pushDown', () => {
  test('leaves OR, NOT and aggregates here and pushes the rest', () => {
    expect(split("metrics.a > 1 AND (params.b = 'x' OR params.b = 'y') AND MAX(metrics.a) < 5")).toEqual([
      'metrics.a > 1',
      "(params.b = 'x' OR params.b = 'y') AND MAX(metrics.a) < 5",
      "metrics.a > 1 AND (params.b = 'x' OR params.b = 'y') AND MAX(metrics.a) < 5",
    ]);
  });

  test('does not judge again here what Databricks judged of a history', () => {
    expect(split('MIN(metrics.a) < 1 AND metrics.a > 0', DATABRICKS)).toEqual([
      'MIN(metrics.a) < 1 AND metrics.a > 0',
      undefined,
      'metrics.a > 0',
    ]);
  });

  test('turns NOT round where that is exact', () => {
    expect(pushed("NOT status = 'FAILED'")).toBe("status != 'FAILED'");
    expect(pushed("NOT (status = 'FAILED' OR params.a IS NULL)")).toBe(
      "status != 'FAILED' AND params.a IS NOT NULL",
    );
    expect(pushed("NOT NOT params.a = 'x'")).toBe("params.a = 'x'");
    // A run without the param fits NOT, and does not fit !=.
    expect(pushed("NOT params.a = 'x'")).toBeUndefined();
    expect(pushed('NOT metrics.a < 1')).toBeUndefined();
    expect(pushed('NOT end_time < 1')).toBeUndefined();
  });

  test('knows which version has IS NULL, and takes another way where it can', () => {
    expect(pushed('params.a IS NULL')).toBe('params.a IS NULL');
    expect(pushed('params.a IS NULL', mlflow(3, 6, 0))).toBeUndefined();
    expect(pushed('params.a IS NULL', UNKNOWN)).toBe('params.a IS NULL');
    expect(pushed('tags.a IS NOT NULL', OLDEST)).toBe("tags.a LIKE '%'");
    expect(pushed('metrics.a IS NULL')).toBeUndefined();
    expect(pushed('params.a IS NULL', DATABRICKS)).toBeUndefined();
  });

  test('pushes lists of run ids and datasets that MLflow reads as we do', () => {
    expect(pushed("run_id IN ('a1', 'b2')")).toBe("run_id IN ('a1', 'b2')");
    expect(pushed("dataset.name NOT IN ('train')")).toBe("dataset.name NOT IN ('train')");
    // MLflow drops these from the list.
    expect(pushed("run_id IN ('A1')")).toBeUndefined();
    expect(pushed("run_id IN ('12')")).toBeUndefined();
    expect(pushed("params.a IN ('x')")).toBeUndefined();
    expect(pushed("run_id IN ('a1')", DATABRICKS)).toBeUndefined();
  });

  test('loosens what databases read in different ways in a pattern', () => {
    expect(pushed("params.a LIKE 'tree_\\%'")).toBe("params.a LIKE 'tree%%%'");
    expect(pushed("params.a ILIKE 'É%'")).toBe("params.a ILIKE '%%'");
    expect(pushed("params.a LIKE 'É%'")).toBe("params.a LIKE 'É%'");
    expect(pushed("params.a LIKE 'x%'", FILESTORE)).toBeUndefined();
  });

  test('finds names as SQL stores do', () => {
    expect(pushed("run_name = 'n'")).toBe("tags.mlflow.runName = 'n'");
  });

  test('keeps what no text of the server can say', () => {
    expect(rest('metrics.a < 1e400')).toBe('metrics.a < 1e400');
    expect(rest('start_time < 1.5')).toBe('start_time < 1.5');
    expect(rest("experiment_id = '1'")).toBe("experiment_id = '1'");
    expect(pushed('metrics.a != 0', OLDEST)).toBeUndefined();
    expect(pushed('metrics.a != 0')).toBe('metrics.a != 0');
    expect(pushed('start_time > 9007199254740993')).toBe('start_time > 9007199254740993');
    expect(pushed("start_time > '2024-05-01T00:00Z'")).toBe('start_time > 1714521600000');
  });

  test('never pushes what would hide a run that fits, and what is judged again decides', async () => {
    await fc.assert(
      fc.asyncProperty(
        anExpression,
        fc.array(aRun, { minLength: 1, maxLength: 5 }),
        async (expression, made) => {
          const runs = await Promise.all(made);
          for (const dialect of DIALECTS) {
            const { filter, recheck } = pushDown(expression, dialect);
            for (const run of runs) {
              const found = filter === undefined || fits(parsed(filter), run);
              const kept = found && (recheck === undefined || fits(recheck, run));
              expect(kept, `${dialect.name}: ${JSON.stringify(expression)} as ${filter}`).toBe(
                fits(expression, run),
              );
            }
          }
        },
      ),
      { numRuns: 2000 },
    );
  });
});

describe('weaker', () => {
  test('gives up what a server may not have, and in the end everything', () => {
    const without = weaker(UNKNOWN);
    expect(without && pushed("params.a IS NULL AND params.b = 'x'", without)).toBe("params.b = 'x'");
    expect(without && weaker(without)).toBeUndefined();
    const noAggregates = weaker(DATABRICKS);
    expect(noAggregates && split('MIN(metrics.a) < 1', noAggregates)).toEqual([
      undefined,
      'MIN(metrics.a) < 1',
      'MIN(metrics.a) < 1',
    ]);
  });
});

describe('pushOrder', () => {
  const order = (...texts: string[]) => texts.map((text) => parseOrderBy(text));

  test('leaves start times to the database', () => {
    expect(pushOrder(order('created DESC'), NEWEST)).toEqual(['start_time DESC']);
    expect(pushOrder(order('start_time'), OLDEST)).toEqual(['start_time ASC']);
  });

  test('sorts metrics here: SQLite takes too long; and end times: REST does not know 0', () => {
    expect(pushOrder(order('metrics.a DESC'), NEWEST)).toBeUndefined();
    expect(pushOrder(order('start_time', 'metrics.a DESC'), NEWEST)).toBeUndefined();
    expect(pushOrder(order('end_time'), NEWEST)).toBeUndefined();
  });

  test('sorts texts here: a database has a collation', () => {
    expect(pushOrder(order('params.a'), NEWEST)).toBeUndefined();
    expect(pushOrder(order('run_name'), NEWEST)).toBeUndefined();
  });

  test('sorts here where the server sorts in its own way', () => {
    expect(pushOrder(order('start_time'), FILESTORE)).toBeUndefined();
    expect(pushOrder(order('start_time'), DATABRICKS)).toBeUndefined();
  });
});
