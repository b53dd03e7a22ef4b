import { setImmediate } from 'node:timers/promises';
import { MAX_POINTS } from '../../../model/records.ts';
import { MlferryError } from '../../../util/errors.ts';
import { readRegularFile } from '../../../util/regular-file.ts';
import { createMetricLines, type MetricChunk } from './metric-lines.ts';

const CHUNK_BYTES = 256 * 1024;
const MAX_LINE = 1024 * 1024;
const LINE_FEED = 0x0a;

/**
 * Streams the points of a metric file as they stand in it, at most 1000 at once; exact duplicates stay. With
 * `tornEnd: 'drop'` a last line without a line end (a write that a crash cut off) is left out. Throws SOURCE_ITEM naming
 * file and line when a line is broken.
 */
export async function* readMetricFile(
  path: string,
  tornEnd: 'read' | 'drop' = 'read',
): AsyncGenerator<MetricChunk> {
  const lines = createMetricLines();
  let number = 0;
  const take = (bytes: Buffer, start: number, stop: number) => {
    number += 1;
    if (!lines.take(bytes, start, stop))
      throw new MlferryError('SOURCE_ITEM', `${path}, line ${number} is not a metric value`);
  };
  let rest: Buffer = Buffer.alloc(0);
  let isFirst = true;
  for (const piece of readRegularFile(path, CHUNK_BYTES)) {
    // Files are read at once, for there are so many small ones; a long one must let others have a turn.
    if (!isFirst) await setImmediate();
    isFirst = false;
    const bytes = rest.length === 0 ? piece : Buffer.concat([rest, piece]);
    let start = 0;
    for (;;) {
      const next = lines.takePlain(bytes, start);
      if (next === -1) {
        const stop = bytes.indexOf(LINE_FEED, start);
        if (stop === -1) break;
        take(bytes, start, stop);
        start = stop + 1;
      } else {
        number += 1;
        start = next;
      }
      if (lines.count() === MAX_POINTS) yield lines.end();
    }
    // The piece is valid until the next one only.
    rest = Buffer.from(bytes.subarray(start));
    if (rest.length > MAX_LINE)
      throw new MlferryError('SOURCE_ITEM', `${path}, line ${number + 1} is too long`);
  }
  if (rest.length > 0 && tornEnd === 'read') take(rest, 0, rest.length);
  if (lines.count() > 0) yield lines.end();
}
