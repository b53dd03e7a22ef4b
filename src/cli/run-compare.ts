import { rename, rm, writeFile } from 'node:fs/promises';
import { stringify } from 'csv-stringify/sync';
import { z } from 'zod';
import { compare } from '../compare/compare.ts';
import type { BestOf, MetricChoice } from '../compare/comparison.ts';
import { comparisonPage } from '../compare/page.ts';
import { rowsOf, shownRows } from '../compare/rows.ts';
import { excelSafe } from '../manage/csv-layouts.ts';
import { parseOrderBy } from '../search/parse-order-by.ts';
import { asMlferryError, MlferryError, systemCode } from '../util/errors.ts';
import { comparisonTable } from './comparison-table.ts';
import { endWithFailures } from './end-with-failures.ts';
import { formatBytes } from './format.ts';
import type { Io } from './io.ts';
import { comparisonJson } from './json/comparison.ts';
import { choiceOf, placeOf } from './manage-values.ts';
import { markdownTable } from './markdown-table.ts';
import { formatTable } from './table.ts';

/** Runs whose histories the page has. */
const RUNS_WITH_HISTORIES = 100;
/** Runs that stand beside each other as columns; more stand below each other. */
const MOST_COLUMNS = 6;

const isChoice = (choice: string): choice is MetricChoice => /^(last|min|max|step=.*)$/.test(choice);

const compareOptions = z.object({
  format: z.enum(['text', 'markdown', 'csv', 'json']),
  json: z.boolean().default(false),
  all: z.boolean(),
  values: z.array(z.custom<MetricChoice>((value) => typeof value === 'string' && isChoice(value))),
  best: z.string().optional(),
  runsAs: z.enum(['columns', 'rows']).optional(),
  html: z.string().optional(),
  overwrite: z.boolean(),
  excelSafe: z.boolean(),
});

/** What `mlferry compare` does. */
export async function runCompare(places: readonly string[], values: unknown, io: Io): Promise<void> {
  const { json, all, best, html, overwrite, excelSafe: isExcelSafe, ...given } = compareOptions.parse(values);
  const format = json ? 'json' : given.format;
  const { comparison, failures } = await compare(places, {
    ...choiceOf(values),
    ...placeOf(values, io),
    stdin: io.stdin,
    values: given.values,
    best: best === undefined ? undefined : bestOf(best),
    histories: html === undefined ? 0 : RUNS_WITH_HISTORIES,
  });
  const { runs } = comparison;
  if (html !== undefined) {
    const page = await comparisonPage(comparison);
    await writePage(html, page, overwrite);
    io.stderr.write(`Wrote ${html}: ${runs.length} runs, ${formatBytes(Buffer.byteLength(page))}\n`);
    endWithFailures(failures, io);
    return;
  }
  const rows = rowsOf(comparison);
  const shown = shownRows(rows, all, runs.length);
  if (format === 'json')
    io.stdout.write(`${comparisonJson(comparison, shown, rows.length - shown.length)}\n`);
  else {
    const asColumns = given.runsAs === undefined ? runs.length <= MOST_COLUMNS : given.runsAs === 'columns';
    const table = comparisonTable(shown, runs, { asColumns, all, forPeople: format !== 'csv' });
    const width = io.stdout.isTTY === true ? (io.stdout.columns ?? 80) : undefined;
    if (format === 'csv') {
      const guard = isExcelSafe ? excelSafe : (text: string) => text;
      io.stdout.write(
        stringify(
          table.map((cells) => cells.map(guard)),
          { record_delimiter: 'windows' },
        ),
      );
    } else io.stdout.write(format === 'markdown' ? markdownTable(table) : formatTable(table, width));
    if (runs.length === 0) io.stderr.write('(0 runs)\n');
    const hidden = rows.length - shown.length;
    if (hidden > 0 && format === 'text')
      io.stderr.write(`(${hidden} more that are the same in all runs, or MLflow's own tags: --all)\n`);
  }
  endWithFailures(failures, io);
}

/** `metrics.rmse ASC`. Throws EXPRESSION for what is no order, and USAGE for one of something else than a metric. */
function bestOf(text: string): BestOf {
  const { subject, direction } = parseOrderBy(text);
  if (subject.entity !== 'metric')
    throw new MlferryError('USAGE', `--best names no metric: ${text}`, {
      hint: 'Write it as in "metrics.rmse ASC": ASC for the least value, DESC for the greatest.',
    });
  return { metric: subject.key, direction };
}

/** Whole or not at all. Throws CONFLICT where the file is there already. */
async function writePage(file: string, page: string, overwrite: boolean): Promise<void> {
  const partial = `${file}.partial`;
  try {
    if (overwrite) {
      await writeFile(partial, page);
      await rename(partial, file);
    } else await writeFile(file, page, { flag: 'wx' });
  } catch (error) {
    await rm(partial, { force: true });
    if (systemCode(error) === 'EEXIST')
      throw new MlferryError('CONFLICT', `${file} is there already`, {
        cause: error,
        hint: '--overwrite replaces it.',
      });
    throw asMlferryError(error, 'USAGE', `${file} cannot be written`);
  }
}
