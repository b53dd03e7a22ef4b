import { closeSync, fstatSync, fsync, ftruncateSync, mkdirSync, openSync, writeFileSync } from 'node:fs';
import { open, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import type { PointList } from '../../../model/point-columns.ts';
import type { Point } from '../../../model/records.ts';

import { isAbsent } from '../../../util/errors.ts';
import { formatMetricLine, formatMetricLines, readMetricFile } from '../layout/metric-file.ts';

/** Appends points to metric files, of which one is open at a time. */
export interface MetricWriter {
  append(key: string, points: PointList): Promise<void>;
  close(): Promise<void>;
}

const BUFFER_CHARS = 64 * 1024;
const sync = promisify(fsync);

/** A writer of the metric files below `directory`. */
export function createMetricWriter(directory: string): MetricWriter {
  let current: { key: string; file: number; start: number } | undefined;
  const made = new Set<string>();
  let text = '';

  const flush = () => {
    if (current === undefined || text === '') return;
    try {
      writeFileSync(current.file, text);
    } catch (error) {
      // A torn line would make the whole run unreadable for MLflow.
      try {
        ftruncateSync(current.file, current.start);
      } catch {
        // The first error says it.
      }
      throw error;
    } finally {
      text = '';
    }
  };
  const close = async () => {
    const open = current;
    try {
      flush();
      if (open !== undefined) await sync(open.file);
    } finally {
      current = undefined;
      if (open !== undefined) closeSync(open.file);
    }
  };

  return {
    async append(key, points) {
      if (current?.key !== key) {
        await close();
        const path = join(directory, key);
        const parent = dirname(path);
        if (!made.has(parent)) mkdirSync(parent, { recursive: true });
        made.add(parent);
        const file = openSync(path, 'a');
        current = { key, file, start: fstatSync(file).size };
      }
      text += formatMetricLines(points);
      if (text.length >= BUFFER_CHARS) flush();
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
  missing(points: PointList): Promise<Point[]>;
  close(): Promise<void>;
}

const textOf = (point: Point) => formatMetricLine(point);

const same = (a: Point, b: Point) => a[0] === b[0] && a[1] === b[1] && Object.is(a[2], b[2]);

/**
 * Compares a series with the file of its copy. As long as both run alike nothing is kept in memory; from the first
 * difference on the rest of the file is counted. A file that is not there holds nothing.
 */
export function createKnownPoints(path: string): KnownPoints {
  const file = readMetricFile(path, 'drop');
  let chunk: readonly Point[] = [];
  let next = 0;
  let ended = false;
  let rest: Map<string, number> | undefined;

  const pull = async (): Promise<Point | undefined> => {
    while (next >= chunk.length && !ended) {
      const result = await nextChunk(file);
      if (result === undefined) ended = true;
      chunk = result === undefined ? [] : [...result];
      next = 0;
    }
    return chunk[next];
  };
  const countRest = async () => {
    const counts = new Map<string, number>();
    for (let point = await pull(); point !== undefined; point = await pull()) {
      next += 1;
      const text = textOf(point);
      counts.set(text, (counts.get(text) ?? 0) + 1);
    }
    return counts;
  };

  return {
    async missing(points) {
      const missing: Point[] = [];
      for (const point of points) {
        if (rest === undefined) {
          const known = next < chunk.length ? chunk[next] : await pull();
          if (known !== undefined && same(known, point)) {
            next += 1;
            continue;
          }
          rest = await countRest();
        }
        const text = textOf(point);
        const count = rest.get(text) ?? 0;
        if (count === 0) missing.push(point);
        else rest.set(text, count - 1);
      }
      return missing;
    },
    async close() {
      await file.return(undefined);
    },
  };
}

async function nextChunk(file: AsyncGenerator<{ points: PointList }>): Promise<PointList | undefined> {
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
