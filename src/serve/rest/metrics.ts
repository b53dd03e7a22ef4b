import { z } from 'zod';
import { compareInt64 } from '../../model/int64.ts';
import { fromDouble } from '../../model/metric-value.ts';
import { forEachPoint } from '../../model/points.ts';
import type { Point } from '../../model/records.ts';
import { list } from '../answers/json-values.ts';
import { metricAnswer } from '../answers/run-answer.ts';
import { count, optionalText, parsed, texts } from '../asked.ts';
import type { Context, Handler } from '../context.ts';
import { offsetOf, tokenOf } from '../page.ts';
import { absent, invalid } from '../refusal.ts';
import { evenlySpaced, sampledSteps } from '../sample-steps.ts';
import { runId } from './runs.ts';

/** Most points in one answer: what MLflow's client asks for. */
const MOST_POINTS = 25_000;
/** Runs in one request, as MLflow has it. */
const MOST_RUNS = 100;
/** Points of a run in a sampled history. */
const MOST_SAMPLED = 2500;

const historySchema = z.object({
  metric_key: z.string(),
  max_results: count(Number.MAX_SAFE_INTEGER, Number.MAX_SAFE_INTEGER),
  page_token: optionalText,
});

export const getHistory: Handler = async ({ place }, asked) => {
  const { metric_key, max_results, page_token } = parsed(historySchema, asked);
  const start = offsetOf(page_token);
  const end = start + max_results;
  const metrics: unknown[] = [];
  let passed = 0;
  let more = false;
  for await (const pieces of pointsOf(place, parsed(runId, asked), metric_key)) {
    for (const point of pieces) {
      if (passed >= end) more = true;
      else if (passed >= start) metrics.push(metricAnswer(metric_key, point));
      passed += 1;
    }
    if (more) break;
  }
  return { json: { metrics: list(metrics), next_page_token: more ? tokenOf(end) : undefined } };
};

const bulkSchema = z.object({
  run_id: texts,
  metric_key: z.string(),
  max_results: count(MOST_POINTS, Number.MAX_SAFE_INTEGER),
});

/** The histories of a metric in some runs, run by run, sorted by time, step and value. */
export const getBulkHistory: Handler = async ({ place }, asked) => {
  const { run_id: run_ids, metric_key, max_results } = parsed(bulkSchema, asked);
  mustBeFew(run_ids);
  const most = Math.min(max_results, MOST_POINTS);
  const metrics: unknown[] = [];
  for (const run_id of run_ids.toSorted()) {
    if (metrics.length >= most) break;
    const points = (await allPoints(place, run_id, metric_key)).sort(byTime);
    for (const point of points.slice(0, most - metrics.length))
      metrics.push({ ...metricAnswer(metric_key, point), run_id });
  }
  return { json: { metrics } };
};

const wholeNumber = z
  .union([z.number(), z.string()])
  .nullish()
  .transform((value) => (value === null || value === undefined || value === '' ? undefined : Number(value)))
  .pipe(z.int().optional());

const intervalSchema = z.object({
  run_ids: texts,
  metric_key: z.string(),
  max_results: count(MOST_SAMPLED, MOST_SAMPLED),
  start_step: wholeNumber,
  end_step: wholeNumber,
});

/** The histories of a metric in some runs, at steps that MLflow would choose (mlflow/store/tracking/abstract_store.py). */
export const getHistoryInterval: Handler = async ({ place }, asked) => {
  const { run_ids, metric_key, max_results, start_step, end_step } = parsed(intervalSchema, asked);
  mustBeFew(run_ids);
  if ((start_step === undefined) !== (end_step === undefined))
    throw invalid('If either start_step or end_step is given, both must be');
  if (start_step !== undefined && end_step !== undefined && start_step > end_step)
    throw invalid(`end_step must not be less than start_step: ${start_step}, ${end_step}`);
  const runs: Array<readonly [string, Point[]]> = [];
  for (const run_id of run_ids) runs.push([run_id, await allPoints(place, run_id, metric_key)]);
  const range = start_step === undefined || end_step === undefined ? undefined : { start_step, end_step };
  const steps = sampledSteps(
    runs.map(([, points]) => points.map(([step]) => Number(step))),
    max_results,
    range,
  );
  const metrics = runs.flatMap(([run_id, points]) => {
    const chosen = points
      .filter(([step]) => steps.has(Number(step)))
      .sort((a, b) => compareInt64(a[0], b[0]) || compareInt64(a[1], b[1]));
    return evenlySpaced(chosen, Math.max(max_results, steps.size)).map((point) => ({
      ...metricAnswer(metric_key, point),
      run_id,
    }));
  });
  return { json: { metrics: list(metrics) } };
};

function mustBeFew(run_ids: readonly string[]): void {
  if (run_ids.length === 0) throw invalid('At least one run must be named');
  if (run_ids.length > MOST_RUNS) throw invalid(`At most ${MOST_RUNS} runs can be asked for at once`);
}

async function allPoints(place: Context['place'], run_id: string, key: string): Promise<Point[]> {
  const all: Point[] = [];
  for await (const points of pointsOf(place, run_id, key)) for (const point of points) all.push(point);
  return all;
}

/** The points of a metric of a run, in pieces, in the order of the place. */
async function* pointsOf(place: Context['place'], run_id: string, key: string): AsyncGenerator<Point[]> {
  const reader = await place.runReader(run_id);
  if (reader === undefined) throw absent(`Run with id=${run_id}`);
  for await (const piece of reader.metrics([key])) {
    if (piece.key !== key) continue;
    const points: Point[] = [];
    forEachPoint(piece.points, (step, timestamp, value) => {
      points.push([step, timestamp, fromDouble(value)]);
    });
    yield points;
  }
}

function byTime(a: Point, b: Point): number {
  return compareInt64(a[1], b[1]) || compareInt64(a[0], b[0]) || Number(a[2]) - Number(b[2]) || 0;
}
