import { once } from 'node:events';
import { createReadStream, createWriteStream } from 'node:fs';
import { dirname, join } from 'node:path';
import { Readable, type Writable } from 'node:stream';
import { finished, pipeline } from 'node:stream/promises';
import { stringify } from 'csv-stringify';
import { type CopyRules, type OnePlaceOptions, onePlaceOptions, withTempDir } from '../job/job-options.ts';
import { createLedger, failureOf, type Ledger } from '../job/ledger.ts';
import type { Failure } from '../model/findings.ts';
import { toJson } from '../model/json.ts';
import { listPoints } from '../model/points.ts';
import { run as runRecord } from '../model/records.ts';
import { ALL_ACTIVE } from '../model/selection.ts';
import { openReader, selectionAt } from '../places/open.ts';
import type { Reader } from '../places/place.ts';
import { compareRuns } from '../search/compare-runs.ts';
import { searchOf } from '../search/search-of.ts';
import { endsJob } from '../util/ends-job.ts';
import { asMlferryError, MlferryError } from '../util/errors.ts';
import { splitLines } from '../util/split-lines.ts';
import { announced } from './announced-runs.ts';
import { type ChosenRun, chosenRuns, type Times } from './chosen-runs.ts';
import type { CsvLayout } from './csv-layout-names.ts';
import {
  type CsvKeys,
  type CsvRun,
  excelSafe,
  type Guard,
  TIDY_HEADS,
  tidyRow,
  WIDE_LAYOUTS,
  wideHeads,
  wideRow,
} from './csv-layouts.ts';
import { listed } from './list-runs.ts';
import { type ListedRun, sortedRuns } from './sorted-runs.ts';

/** Options of {@link writeCsv}. */
export interface CsvOptions extends Times, OnePlaceOptions, Pick<CopyRules, 'selection'> {
  readonly layout: CsvLayout;
  /** With `tidy`: all points of each metric, not only the latest. */
  readonly history?: boolean | undefined;
  /** Put an apostrophe before text cells that a spreadsheet would take for a formula. */
  readonly excelSafe?: boolean | undefined;
}

/** What was written. */
export interface CsvResult {
  readonly runs: number;
  /** Keys that stand in the head more than once: a param, a metric and a tag may have one name. */
  readonly repeated_keys: readonly string[];
  readonly failures: readonly Failure[];
}

/** RFC 4180. */
const CSV = { record_delimiter: 'windows', quote_record_delimiter: true };

const spooledRun = runRecord.pick({
  run_id: true,
  run_name: true,
  user_id: true,
  status: true,
  start_time: true,
  end_time: true,
  params: true,
  tags: true,
  latest_metrics: true,
});

/**
 * Writes the chosen runs of any place as CSV (RFC 4180: CRLF, quotes only where needed) to `output`, which stays open. The
 * place is read once; the wide layouts keep the runs in a spool file until all keys are known. Throws as openReader does.
 */
export async function writeCsv(location: string, output: Writable, given: CsvOptions): Promise<CsvResult> {
  const options = { ...given, selection: selectionAt(location, given.selection) };
  if (options.history === true && options.layout !== 'tidy')
    throw new MlferryError('USAGE', 'Histories need one row a point: the layout tidy');
  const ledger = createLedger();
  return withTempDir(options.tempDir, async (tempDir) => {
    const reader = await openReader(location, {
      ...onePlaceOptions(options, tempDir, ledger),
      eitherSide: true,
    });
    const tally = { runs: 0, repeated: [] as string[] };
    try {
      const rows =
        options.layout === 'tidy'
          ? tidyRows(reader, options, tempDir, ledger, tally)
          : wideRows(reader, WIDE_LAYOUTS[options.layout], options, join(tempDir, 'runs.ndjson'), tally);
      await pipeline(Readable.from(rows), stringify(CSV), output, { end: false });
    } finally {
      await reader.close();
    }
    return { runs: tally.runs, repeated_keys: tally.repeated, failures: ledger.failures };
  });
}

interface Tally {
  runs: number;
  repeated: string[];
}

function guardOf(options: CsvOptions): Guard {
  return options.excelSafe === true ? excelSafe : (text) => text;
}

function chosen(reader: Reader, options: CsvOptions): AsyncGenerator<ChosenRun> {
  return chosenRuns(reader, { ...ALL_ACTIVE, ...options.selection }, options);
}

/** The chosen runs without their histories, in order where one is asked for. */
function records(reader: Reader, options: CsvOptions, tempDir: string): AsyncGenerator<ListedRun> {
  const runs = listed(chosen(reader, options));
  const { order_by = [] } = options.selection ?? {};
  return order_by.length === 0 ? runs : sortedRuns(runs, searchOf(options.selection ?? {}).order, tempDir);
}

/** The chosen runs that can still tell their histories; with an order all are held. */
async function* inOrder(runs: AsyncGenerator<ChosenRun>, options: CsvOptions): AsyncGenerator<ChosenRun> {
  const { order_by = [] } = options.selection ?? {};
  if (order_by.length === 0) return yield* runs;
  const compare = compareRuns(searchOf(options.selection ?? {}).order);
  const all: ChosenRun[] = [];
  for await (const run of runs) all.push(run);
  yield* all.sort((a, b) => compare(a.source.run, b.source.run));
}

async function* wideRows(
  reader: Reader,
  layout: (typeof WIDE_LAYOUTS)[keyof typeof WIDE_LAYOUTS],
  options: CsvOptions,
  spool: string,
  tally: Tally,
): AsyncGenerator<string[]> {
  const guard = guardOf(options);
  const keys = { params: new Set<string>(), metrics: new Set<string>(), tags: new Set<string>() };
  const file = createWriteStream(spool, { mode: 0o600 });
  for await (const run of records(reader, options, dirname(spool))) {
    tally.runs += 1;
    for (const key of Object.keys(run.params)) keys.params.add(key);
    for (const key of Object.keys(run.latest_metrics)) keys.metrics.add(key);
    for (const key of Object.keys(run.tags)) if (!key.startsWith('mlflow.')) keys.tags.add(key);
    const { run_id, run_name, user_id, status, start_time, end_time, params, tags, latest_metrics } = run;
    const line: CsvRun = {
      run_id,
      run_name,
      user_id,
      status,
      start_time,
      end_time,
      params,
      tags,
      latest_metrics,
    };
    if (!file.write(`${toJson(line)}\n`)) await once(file, 'drain');
  }
  file.end();
  await finished(file);
  const sorted: CsvKeys = {
    params: [...keys.params].sort(),
    metrics: [...keys.metrics].sort(),
    tags: layout.tags ? [...keys.tags].sort() : [],
  };
  tally.repeated = repeated([...sorted.params, ...sorted.metrics, ...sorted.tags]);
  yield wideHeads(layout, sorted, guard);
  for await (const line of splitLines(createReadStream(spool), spool))
    yield wideRow(layout, sorted, guard, spooledRun.parse(JSON.parse(Buffer.from(line).toString())));
}

async function* tidyRows(
  reader: Reader,
  options: CsvOptions,
  tempDir: string,
  ledger: Ledger,
  tally: Tally,
): AsyncGenerator<readonly string[]> {
  const guard = guardOf(options);
  yield TIDY_HEADS;
  if (options.history !== true) {
    for await (const run of records(reader, options, tempDir)) {
      tally.runs += 1;
      for (const [metric, point] of Object.entries(run.latest_metrics))
        yield tidyRow(run, run.experiment_name, metric, point, guard);
    }
    return;
  }
  for await (const { experiment, source } of announced(reader, inOrder(chosen(reader, options), options))) {
    const { run } = source;
    tally.runs += 1;
    try {
      for await (const { key, points } of source.metrics())
        for (const point of listPoints(points)) yield tidyRow(run, experiment.name, key, point, guard);
    } catch (error) {
      const known = asMlferryError(error);
      if (endsJob(known)) throw known;
      ledger.failure(failureOf({ kind: 'run', id: run.run_id, name: run.run_name }, known));
    }
  }
}

function repeated(keys: readonly string[]): string[] {
  return [...Map.groupBy(keys, (key) => key)].flatMap(([key, all]) => (all.length > 1 ? [key] : []));
}
