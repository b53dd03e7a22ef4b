import type { RunLoss } from '../model/fit-run.ts';
import { compareInt64 } from '../model/int64.ts';
import { REFUSED_METRICS_FILE } from '../model/own-files.ts';
import { buildPoints, filterPoints, forEachPoint, type Points } from '../model/points.ts';
import type { MetricPoints, RunReader } from '../places/place.ts';
import type { PointRules } from '../places/representation.ts';
import { appendAll } from '../util/append-all.ts';
import {
  comparedValue,
  createPointBalance,
  type FirstDifference,
  type PointBalance,
} from './point-balance.ts';

/** A metric whose series are not the same: how many points only one side has, and the first of them. */
export interface SeriesDifference {
  readonly key: string;
  readonly only_in_source: number;
  readonly only_in_target: number;
  readonly first: FirstDifference;
}

/** What comparing the series of a run gave. */
export interface SeriesComparison {
  /** Points of the source that were looked at. */
  readonly points: number;
  readonly differences: readonly SeriesDifference[];
  readonly losses: readonly RunLoss[];
  /** Points that the target refuses stand in one of mlferry's own files. */
  readonly refused: number;
}

/** Keeps every point as it is, each as often as it was logged. */
export const EXACT: PointRules = {
  merges: false,
  exact: true,
  negativeTimestamps: true,
  problemOf: () => undefined,
};

/** Values that a SQL store may keep in another form: counted on both sides. */
interface Counted {
  infinities: number;
  zeros: number;
}

/**
 * Compares all series of a run, in whatever order each side has its points. As long as both run alike nothing is kept in
 * memory; points that come at another place are held until their like comes. `onPoints` hears of points of the source.
 */
export async function compareSeries(
  source: RunReader,
  target: RunReader,
  rules: PointRules,
  onPoints: (count: number) => void,
): Promise<SeriesComparison> {
  const losses: RunLoss[] = [];
  const counted = { source: zero(), target: zero() };
  const open = new Map<string, PointBalance>();
  let points = 0;
  let refused = 0;
  let early = 0;

  const left = createCursor(source.metrics());
  const right = createCursor(target.metrics());
  try {
    for (;;) {
      const [a, b] = [await left.key(), await right.key()];
      const key: string | undefined = b === undefined || (a !== undefined && a <= b) ? a : b;
      if (key === undefined) break;
      const problem = a === key ? rules.problemOf(key) : undefined;
      const balance = createPointBalance(rules.exact);
      let count = 0;
      const wanted = async function* (series: AsyncIterable<Points>) {
        for await (const piece of series) {
          count += piece.length;
          onPoints(piece.length);
          if (problem !== undefined) continue;
          if (rules.negativeTimestamps) yield piece;
          else {
            const taken = filterPoints(piece, (_, timestamp) => compareInt64(timestamp, 0) >= 0);
            early += piece.length - taken.length;
            yield taken;
          }
        }
      };
      await balanceOf(wanted(left.take(key)), right.take(key), rules.exact, balance, counted);
      points += count;
      if (problem !== undefined) {
        refused += count;
        losses.push({ code: 'KEY_NOT_ALLOWED', key, count, detail: problem });
      }
      const { source: more, target: less } = balance.count();
      if (more + less > 0) open.set(key, balance);
    }
  } finally {
    await left.close();
    await right.close();
  }

  if (rules.merges) appendAll(losses, await forgiveDuplicates(target, open));
  if (early > 0) {
    losses.push({
      code: 'TIMESTAMP_NOT_ALLOWED',
      count: early,
      detail: `points with a timestamp before 1970 are refused; they are in ${REFUSED_METRICS_FILE}`,
    });
  }
  if (!rules.exact) appendAll(losses, changedValues(counted));
  return { points, differences: differencesOf(open), losses, refused: refused + early };
}

const zero = (): Counted => ({ infinities: 0, zeros: 0 });

/** The points of a run by key, one key at a time. */
function createCursor(pieces: AsyncIterable<MetricPoints>) {
  const iterator = pieces[Symbol.asyncIterator]();
  let piece: MetricPoints | undefined;
  let ended = false;
  const pull = async () => {
    while (piece === undefined && !ended) {
      const result = await iterator.next();
      if (result.done === true) ended = true;
      else piece = result.value;
    }
    return piece;
  };
  return {
    key: async () => (await pull())?.key,
    /** The points of this key, if it is the next. */
    async *take(key: string): AsyncGenerator<Points> {
      for (let next = await pull(); next?.key === key; next = await pull()) {
        piece = undefined;
        yield next.points;
      }
    },
    close: async () => void (await iterator.return?.()),
  };
}

/** Puts into `balance` what the one series has and the other lacks. */
async function balanceOf(
  source: AsyncGenerator<Points>,
  target: AsyncGenerator<Points>,
  exact: boolean,
  balance: PointBalance,
  counted: { source: Counted; target: Counted },
): Promise<void> {
  const a = createQueue(source, counted.source);
  const b = createQueue(target, counted.target);
  for (;;) {
    if (a.left() === 0) await a.fill();
    if (b.left() === 0) await b.fill();
    if (a.left() + b.left() === 0) return;
    const common = Math.min(a.left(), b.left());
    // Of the rest the one side that has more is taken alone, once the other has ended.
    const own = common > 0 ? 0 : Math.max(a.left(), b.left());
    const more = common > 0 ? undefined : a.left() > 0 ? a : b;
    for (let index = 0; index < common; index++) {
      const [x, y] = [a.at + index, b.at + index];
      if (!same(a.points, x, b.points, y, exact)) {
        addTo(balance, a.points, x, 1);
        addTo(balance, b.points, y, -1);
      }
    }
    for (let index = 0; more !== undefined && index < own; index++)
      addTo(balance, more.points, more.at + index, more === a ? 1 : -1);
    a.at += more === a ? own : common;
    b.at += more === b ? own : common;
  }
}

const NONE: Points = buildPoints();

function createQueue(pieces: AsyncGenerator<Points>, counted: Counted) {
  let ended = false;
  const queue = {
    points: NONE,
    /** The next point. */
    at: 0,
    left: () => queue.points.length - queue.at,
    async fill(): Promise<void> {
      while (queue.left() === 0 && !ended) {
        const result = await pieces.next();
        ended = result.done === true;
        queue.points = result.done === true ? NONE : result.value;
        queue.at = 0;
        for (const value of queue.points.values) {
          if (value === Number.POSITIVE_INFINITY || value === Number.NEGATIVE_INFINITY) counted.infinities++;
          else if (Object.is(value, -0)) counted.zeros++;
        }
      }
    },
  };
  return queue;
}

function addTo(balance: PointBalance, { steps, timestamps, values }: Points, at: number, side: 1 | -1): void {
  balance.add(steps[at] ?? 0, timestamps[at] ?? 0, values[at] ?? 0, side);
}

function same(a: Points, x: number, b: Points, y: number, exact: boolean): boolean {
  return (
    a.steps[x] === b.steps[y] &&
    a.timestamps[x] === b.timestamps[y] &&
    Object.is(comparedValue(a.values[x] ?? 0, exact), comparedValue(b.values[y] ?? 0, exact))
  );
}

/** Of points that the source has several times a merging store has one: what it has at all is not missing. */
async function forgiveDuplicates(
  target: RunReader,
  open: ReadonlyMap<string, PointBalance>,
): Promise<RunLoss[]> {
  if (![...open.values()].some((balance) => balance.count().source > 0)) return [];
  let duplicates = 0;
  for await (const { key, points } of target.metrics()) {
    const balance = open.get(key);
    if (balance === undefined) continue;
    forEachPoint(points, (step, timestamp, value) => {
      duplicates += balance.forgive(step, timestamp, value);
    });
  }
  if (duplicates === 0) return [];
  return [
    {
      code: 'DUPLICATE_POINTS',
      count: duplicates,
      detail: 'points exactly equal to another one: the target keeps one of each',
    },
  ];
}

function changedValues({ source, target }: { source: Counted; target: Counted }): RunLoss[] {
  const losses: RunLoss[] = [];
  if (source.infinities > target.infinities) {
    losses.push({
      code: 'INFINITY_CLAMPED',
      count: source.infinities - target.infinities,
      detail: 'the target stores ±Infinity as the largest double, ±1.7976931348623157e308',
    });
  }
  if (source.zeros > target.zeros) {
    losses.push({
      code: 'NEGATIVE_ZERO',
      count: source.zeros - target.zeros,
      detail: 'the target stores -0 as 0',
    });
  }
  return losses;
}

function differencesOf(open: ReadonlyMap<string, PointBalance>): SeriesDifference[] {
  return [...open].flatMap(([key, balance]) => {
    const { source, target } = balance.count();
    const first = balance.first();
    return first === undefined ? [] : [{ key, only_in_source: source, only_in_target: target, first }];
  });
}
