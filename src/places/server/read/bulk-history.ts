import { buildPoints, forEachPoint, type Points, type PointsBuilder } from '../../../model/points.ts';
import type { Run } from '../../../model/records.ts';
import { splitJsonList } from '../../../model/split-json.ts';
import { ownValue } from '../../../model/string-map.ts';
import { type ErrorCode, MlferryError } from '../../../util/errors.ts';
import type { PointSequence, PointStore } from '../../reading/point-store.ts';
import { bytesOf } from '../connect/body.ts';
import { isAtLeast } from '../connect/capabilities.ts';
import { serverAnswer } from '../connect/problems.ts';
import { routes } from '../connect/routes.ts';
import type { TrackingClient } from '../connect/tracking-client.ts';
import { PAGE_POINTS, readHistory } from './history.ts';
import { parseMetric, sortedByTime } from './points.ts';

/** Histories of one key, by run. */
export type KeyHistories = ReadonlyMap<string, PointSequence>;

/** Reads histories of one key of many runs. */
export interface BulkHistory {
  /**
   * The whole histories of `key` of these runs, with as few requests as possible. Runs that are missing in the result
   * must be read one by one. Throws what stops the whole job.
   */
  read(key: string, runs: readonly Run[], store: PointStore): Promise<KeyHistories>;
}

const MAX_RUNS = 100;
/** gunicorn, which serves MLflow before 3.5, refuses a request line of more than 4094 bytes. */
const SHORT_URL = 4000;
const LONG_URL = 7500;
/** A request is planned for a little less than the most that an answer can hold: runs may have grown. */
const PLANNED_POINTS = PAGE_POINTS * 0.9;

const READ_ONE_BY_ONE: readonly ErrorCode[] = [
  'NOT_FOUND',
  'UNSUPPORTED',
  'REFUSED',
  'SERVER_ERROR',
  'NOT_MLFLOW',
];

/**
 * `get-history-bulk` (MLflow 1.30 and newer, only below /ajax-api): up to 100 runs (20 in 2.9) and one key a request.
 * Its answer has at most 25,000 points in total, ordered by run, and is cut without saying so: fewer points than asked
 * for are a whole answer; of a full one only the runs before the last are, and the others are asked for again.
 */
export function createBulkHistory(client: TrackingClient): BulkHistory {
  const usual = new Map<string, number>();
  let available = true;
  let maxRuns = MAX_RUNS;
  let maxUrl = isAtLeast(client.server, '3.5') ? LONG_URL : SHORT_URL;

  async function ask(
    key: string,
    runs: readonly Run[],
  ): Promise<Array<[run_id: string, points: PointsBuilder]>> {
    const query = { metric_key: key, max_results: PAGE_POINTS, run_id: runs.map(({ run_id }) => run_id) };
    return client.stream(routes.bulkHistory, query, async (body) => {
      const blocks: Array<[run_id: string, points: PointsBuilder]> = [];
      await splitJsonList(bytesOf(body), async (items) => {
        for (const item of items) {
          const { run_id = '', step, timestamp, value } = parseMetric(item);
          const last = blocks.at(-1);
          const block = last?.[0] === run_id ? last[1] : buildPoints();
          if (block !== last?.[1]) blocks.push([run_id, block]);
          block.push(step, timestamp, value);
        }
      });
      return blocks;
    });
  }

  /** As many of the runs as probably fit one answer and one request line. */
  function batchOf(key: string, runs: readonly Run[], most: number): Run[] {
    const batch: Run[] = [];
    let points = 0;
    let url =
      client.base.pathname.length + routes.bulkHistory.path.length + encodeURIComponent(key).length + 60;
    for (const run of runs) {
      points += usual.get(run.run_id) ?? 1;
      url += run.run_id.length + 8;
      const full = points > PLANNED_POINTS || url > maxUrl || batch.length >= Math.min(most, maxRuns);
      if (full && batch.length > 0) break;
      batch.push(run);
    }
    return batch;
  }

  /** Whether the server's reason is one that smaller requests avoid; they are smaller from then on. */
  function shrinks(error: unknown, sent: number): boolean {
    const answer = serverAnswer(error);
    const most = /more than (\d+) run_ids/.exec(answer?.message ?? '')?.[1];
    if (most !== undefined && Number(most) > 0 && sent > Number(most)) {
      maxRuns = Math.min(maxRuns, Number(most));
      return true;
    }
    const tooLong =
      answer !== undefined && answer.error_code === undefined && [400, 413, 414, 431].includes(answer.status);
    if (!tooLong || sent === 1) return false;
    if (maxUrl > SHORT_URL) maxUrl = SHORT_URL;
    else maxRuns = Math.max(1, Math.min(maxRuns, Math.floor(sent / 2)));
    return true;
  }

  return {
    read: async (key, runs, store) => {
      const histories = new Map<string, PointSequence>();
      const start = (run: Run) => {
        const latest = ownValue(run.latest_metrics, key);
        if (latest === undefined)
          throw new MlferryError('BUG', `Run ${run.run_id} has no metric ${JSON.stringify(key)}`);
        return store.sequence(latest);
      };
      const keep = async (run: Run, points: Points) => {
        const sequence = start(run);
        await sequence.append(sortedByTime(points));
        usual.set(run.run_id, Math.max(points.length, usual.get(run.run_id) ?? 0));
        histories.set(run.run_id, sequence);
      };
      const alone = async (run: Run) => {
        const sequence = start(run);
        try {
          await readHistory(client, run.run_id, key, sequence);
        } catch (error) {
          sequence.drop();
          if (!isForThisOnly(error)) throw error;
          return;
        }
        usual.set(run.run_id, Math.max(sequence.count, usual.get(run.run_id) ?? 0));
        histories.set(run.run_id, sequence);
      };
      let waiting = runs.toSorted((a, b) => (a.run_id < b.run_id ? -1 : 1));
      let most = MAX_RUNS;
      while (waiting.length > 0 && available) {
        const batch = batchOf(key, waiting, most);
        const [first] = batch;
        if (first === undefined) break;
        if (batch.length === 1) {
          await alone(first);
          waiting = waiting.slice(1);
          continue;
        }
        let blocks: Array<[run_id: string, points: PointsBuilder]>;
        try {
          blocks = await ask(key, batch);
        } catch (error) {
          if (shrinks(error, batch.length)) continue;
          if (!isForThisOnly(error)) throw error;
          if (error instanceof MlferryError && error.code === 'UNSUPPORTED') available = false;
          waiting = waiting.slice(batch.length);
          continue;
        }
        const whole = wholeBlocks(blocks);
        for (const run of batch) {
          const points = whole.get(run.run_id);
          if (points !== undefined) await keep(run, points);
        }
        const isCut = blocks.reduce((sum, [, points]) => sum + points.length, 0) >= PAGE_POINTS;
        if (!isCut) {
          waiting = waiting.slice(batch.length);
        } else if (whole.size > 0) {
          waiting = waiting.filter((run) => !histories.has(run.run_id));
        } else if (blocks.length === 1 && blocks[0]?.[0] === first.run_id) {
          await alone(first);
          waiting = waiting.slice(1);
        } else {
          most = Math.max(1, Math.floor(batch.length / 2));
        }
      }
      return histories;
    },
  };
}

/**
 * The runs of an answer whose points are all there: every run when the answer is not full; else those before the last
 * one, provided that the answer really goes run by run in ascending order.
 */
function wholeBlocks(
  blocks: ReadonlyArray<[run_id: string, points: PointsBuilder]>,
): ReadonlyMap<string, Points> {
  const total = blocks.reduce((sum, [, points]) => sum + points.length, 0);
  const byRun = new Map<string, PointsBuilder>();
  let ordered = true;
  let before = '';
  for (const [run_id, points] of blocks) {
    if (run_id <= before) ordered = false;
    before = run_id;
    const known = byRun.get(run_id);
    if (known === undefined) byRun.set(run_id, buildPoints(points));
    else forEachPoint(points, known.push);
  }
  if (total < PAGE_POINTS) return byRun;
  if (!ordered) return new Map();
  byRun.delete(before);
  return byRun;
}

function isForThisOnly(error: unknown): boolean {
  return error instanceof MlferryError && READ_ONE_BY_ONE.includes(error.code);
}
