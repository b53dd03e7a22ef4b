import { closeSync, fstatSync, fsync, ftruncateSync, mkdirSync, openSync, writeFileSync } from 'node:fs';
import { open, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import type { Int64 } from '../../../model/int64.ts';
import { buildPoints, filterPoints, type Points, slicePoints } from '../../../model/points.ts';
import { isAbsent } from '../../../util/errors.ts';
import { readMetricFile } from '../layout/metric-file.ts';
import { formatMetricLines, type MetricChunk } from '../layout/metric-lines.ts';

/** Appends points to metric files, of which one is open at a time. */
export interface MetricWriter {
  append(key: string, points: Points): Promise<void>;
  close(): Promise<void>;
}

/** Files of a run that are on their way to the disk at once. */
const MOST_CLOSING = 16;
const BUFFER_BYTES = 256 * 1024;

const sync = promisify(fsync);

/** A writer of the metric files below `directory`. */
export function createMetricWriter(directory: string): MetricWriter {
  let current: { key: string; file: number; start: number } | undefined;
  const made = new Set<string>();
  let waiting: Buffer[] = [];
  let waitingBytes = 0;

  const flush = () => {
    if (current === undefined || waitingBytes === 0) return;
    try {
      writeFileSync(current.file, Buffer.concat(waiting));
    } catch (error) {
      // A torn line would make the whole run unreadable for MLflow.
      try {
        ftruncateSync(current.file, current.start);
      } catch {
        // The first error says it.
      }
      throw error;
    } finally {
      waiting = [];
      waitingBytes = 0;
    }
  };
  const closing: Promise<void>[] = [];
  const syncAndClose = async (file: number) => {
    try {
      await sync(file);
    } finally {
      closeSync(file);
    }
  };
  /** Several files reach the disk together: that costs the system a fraction of one after another. */
  const settle = async () => {
    const results = await Promise.allSettled(closing.splice(0));
    for (const result of results) if (result.status === 'rejected') throw result.reason;
  };
  const closeCurrent = async () => {
    if (current === undefined) return;
    const { file } = current;
    try {
      flush();
      const closed = syncAndClose(file);
      closing.push(closed);
      // `settle` throws it; until then it must not count as unhandled.
      closed.catch(() => undefined);
    } catch (error) {
      closeSync(file);
      throw error;
    } finally {
      current = undefined;
    }
    if (closing.length >= MOST_CLOSING) await settle();
  };
  const close = async () => {
    try {
      await closeCurrent();
    } finally {
      await settle();
    }
  };

  return {
    async append(key, points) {
      if (current?.key !== key) {
        await closeCurrent();
        const path = join(directory, key);
        const parent = dirname(path);
        if (!made.has(parent)) mkdirSync(parent, { recursive: true });
        made.add(parent);
        const file = openSync(path, 'a');
        current = { key, file, start: fstatSync(file).size };
      }
      const lines = formatMetricLines(points);
      waiting.push(lines);
      waitingBytes += lines.length;
      if (waitingBytes >= BUFFER_BYTES) flush();
    },
    close,
  };
}

/**
 * Tells which points of a series a metric file does not hold yet. MLflow's FileStore appends blindly, so the file is a
 * multiset: a point that the source has twice stands in it twice.
 */
export interface KnownPoints {
  /** Those of the next points of the source that are not in the file. */
  missing(points: Points): Promise<Points>;
  close(): Promise<void>;
}

/**
 * Compares a series with the file of its copy. As long as both run alike nothing is kept in memory; from the first
 * difference on the rest of the file is counted. A file that is not there holds nothing.
 */
export function createKnownPoints(path: string): KnownPoints {
  const file = readMetricFile(path, { tornEnd: 'drop' });
  let chunk: Points = buildPoints();
  let next = 0;
  let ended = false;
  let rest: Map<string, number> | undefined;

  /** Whether there is a next point in the file. */
  const pull = async (): Promise<boolean> => {
    while (next >= chunk.length && !ended) {
      const found = await nextChunk(file);
      ended = found === undefined;
      chunk = found ?? buildPoints();
      next = 0;
    }
    return next < chunk.length;
  };
  const countRest = async () => {
    const counts = new Map<string, number>();
    for (; await pull(); next += 1) {
      const text = textOf(chunk.steps[next], chunk.timestamps[next], chunk.values[next]);
      counts.set(text, (counts.get(text) ?? 0) + 1);
    }
    return counts;
  };

  return {
    async missing(points) {
      let alike = 0;
      while (rest === undefined && alike < points.length) {
        const known = next < chunk.length || (await pull());
        if (known && same(points, alike, chunk, next)) {
          next += 1;
          alike += 1;
        } else rest = await countRest();
      }
      const counts = rest;
      if (counts === undefined) return buildPoints();
      return filterPoints(slicePoints(points, alike, points.length), (step, timestamp, value) => {
        const text = textOf(step, timestamp, value);
        const count = counts.get(text) ?? 0;
        if (count > 0) counts.set(text, count - 1);
        return count === 0;
      });
    },
    async close() {
      await file.return(undefined);
    },
  };
}

/** One text for each point as it stands in a file. */
const textOf = (step: Int64 | undefined, timestamp: Int64 | undefined, value: number | undefined) =>
  `${timestamp} ${Object.is(value, -0) ? '-0' : value} ${step}`;

const same = (a: Points, x: number, b: Points, y: number) =>
  a.steps[x] === b.steps[y] && a.timestamps[x] === b.timestamps[y] && Object.is(a.values[x], b.values[y]);

async function nextChunk(file: AsyncGenerator<MetricChunk>): Promise<Points | undefined> {
  try {
    const result = await file.next();
    return result.done === true ? undefined : result.value.points;
  } catch (error) {
    if (isAbsent(error)) return undefined;
    throw error;
  }
}

/** Cuts a last line without a line end off a metric file: what a crash left of a write. */
export async function dropTornEnd(path: string): Promise<void> {
  let size: number;
  try {
    size = (await stat(path)).size;
  } catch (error) {
    if (isAbsent(error)) return;
    throw error;
  }
  const handle = await open(path, 'r+');
  try {
    const tail = Buffer.alloc(Math.min(size, 4096));
    await handle.read(tail, 0, tail.length, size - tail.length);
    const end = tail.lastIndexOf(10) + 1;
    if (end < tail.length && (end > 0 || size === tail.length))
      await handle.truncate(size - tail.length + end);
  } finally {
    await handle.close();
  }
}
