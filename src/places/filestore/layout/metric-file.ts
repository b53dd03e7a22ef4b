import { setImmediate } from 'node:timers/promises';
import { MAX_POINTS } from '../../../model/records.ts';
import { MlferryError } from '../../../util/errors.ts';
import { readRegularFile } from '../../../util/regular-file.ts';
import { createMetricLines, type MetricChunk } from './metric-lines.ts';

const CHUNK_BYTES = 256 * 1024;
const MAX_LINE = 1024 * 1024;
const LINE_FEED = 0x0a;

/** What is done with lines that are no metric value. */
export interface BrokenLines {
  /** A last line without a line end, a write that a crash cut off, is left out. */
  readonly tornEnd?: 'read' | 'drop';
  /** Hears of each broken line, by its number from 1; all others are read. Without it the first one is an error. */
  readonly onBroken?: ((line: number) => void) | undefined;
}

/**
 * Streams the points of a metric file as they stand in it, at most 1000 at once; exact duplicates stay. Throws SOURCE_ITEM
 * naming file and line when a line is broken and nobody hears of it.
 */
export async function* readMetricFile(
  path: string,
  { tornEnd = 'read', onBroken }: BrokenLines = {},
): AsyncGenerator<MetricChunk> {
  const lines = createMetricLines();
  let number = 0;
  const broken = (line: number, what: string) => {
    if (onBroken === undefined) throw new MlferryError('SOURCE_ITEM', `${path}, line ${line} ${what}`);
    onBroken(line);
  };
  const take = (bytes: Buffer, start: number, stop: number) => {
    number += 1;
    if (!lines.take(bytes, start, stop)) broken(number, 'is not a metric value');
  };
  /** Whether the line at hand was found too long, and is passed over. */
  let isTooLong = false;
  let hasSteps = false;
  let rest: Buffer = Buffer.alloc(0);
  let isFirst = true;
  for (const piece of readRegularFile(path, CHUNK_BYTES)) {
    // Files are read at once, for there are so many small ones; a long one must let others have a turn.
    if (!isFirst) await setImmediate();
    isFirst = false;
    const bytes = rest.length === 0 ? piece : Buffer.concat([rest, piece]);
    let start = 0;
    for (;;) {
      if (isTooLong) {
        const stop = bytes.indexOf(LINE_FEED, start);
        start = stop === -1 ? bytes.length : stop + 1;
        if (stop === -1) break;
        number += 1;
        isTooLong = false;
      }
      const next = lines.takePlain(bytes, start);
      if (next === -1) {
        const stop = bytes.indexOf(LINE_FEED, start);
        if (stop === -1) break;
        take(bytes, start, stop);
        start = stop + 1;
      } else {
        number += 1;
        hasSteps = true;
        start = next;
      }
      if (lines.count() === MAX_POINTS) yield lines.end();
    }
    // The piece is valid until the next one only.
    rest = Buffer.from(bytes.subarray(start));
    if (rest.length > MAX_LINE) {
      broken(number + 1, 'is too long');
      isTooLong = true;
      rest = Buffer.alloc(0);
    }
  }
  if (rest.length > 0 && tornEnd === 'read') {
    // Of a line of three fields only two reached the disk: they would read as the line of an old MLflow.
    const isTorn = hasSteps && rest.toString('latin1').trim().split(' ').length === 2;
    if (isTorn) broken(number + 1, 'is not a metric value');
    else take(rest, 0, rest.length);
  }
  if (lines.count() > 0) yield lines.end();
}
