import { type Int64, toInt64 } from '../../../model/int64.ts';
import { fromDouble, type MetricValue } from '../../../model/metric-value.ts';
import { MAX_POINTS, type Point } from '../../../model/records.ts';
import { MlferryError } from '../../../util/errors.ts';
import { openRegularFile } from './regular-file.ts';

/**
 * Metric files: one line a point, `<timestamp> <value> <step>`; MLflow 0.x wrote no step, MLflow 3 adds
 * `<dataset name> <dataset digest>`, and the name may hold spaces.
 */

const CHUNK_BYTES = 64 * 1024;
const MAX_LINE = 1024 * 1024;

function integer(text: string): Int64 | undefined {
  if (text.length < 16 && /^[1-9]\d*$/.test(text)) return Number(text);
  return toInt64(text.replace(/\.0*$/, '').replace(/^\+/, ''));
}

function double(text: string): MetricValue | undefined {
  if (/^[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?$/.test(text)) return fromDouble(Number(text));
  const word = /^([-+]?)(inf(?:inity)?|nan)$/i.exec(text);
  if (word === null) return undefined;
  if (word[2]?.toLowerCase() === 'nan') return 'NaN';
  return word[1] === '-' ? '-Infinity' : 'Infinity';
}

/** The point of a line, with whether a dataset is named; `undefined` when the line is not one MLflow writes. */
export function parseMetricLine(line: string): { point: Point; dataset: boolean } | undefined {
  const fields = line.trim().split(' ');
  if (fields.length < 2 || fields.length === 4) return undefined;
  const timestamp = integer(fields[0] ?? '');
  const value = double(fields[1] ?? '');
  const step = fields.length === 2 ? 0 : integer(fields[2] ?? '');
  if (timestamp === undefined || value === undefined || step === undefined) return undefined;
  return { point: [step, timestamp, value], dataset: fields.length > 3 };
}

function pythonFloat(value: MetricValue): string {
  if (value === 'NaN') return 'nan';
  if (value === 'Infinity') return 'inf';
  if (value === '-Infinity') return '-inf';
  if (Object.is(value, -0)) return '-0.0';
  return Number.isInteger(value) && Math.abs(value) < 1e16 ? `${value}.0` : String(value);
}

/** The line of a point with its line end; Python's `float()` reads the value back to the same double. */
export function formatMetricLine([step, timestamp, value]: Point): string {
  return `${timestamp} ${pythonFloat(value)} ${step}\n`;
}

/** Points of a metric file as they stand in it, at most 1000 at once, and how many of them name a dataset. */
export interface MetricChunk {
  readonly points: Point[];
  readonly datasets: number;
}

/**
 * Streams a metric file; exact duplicates stay. With `tornEnd: 'drop'` a last line without a line end (a write that a
 * crash cut off) is left out. Throws SOURCE_ITEM naming file and line when a line is broken.
 */
export async function* readMetricFile(
  path: string,
  tornEnd: 'read' | 'drop' = 'read',
): AsyncGenerator<MetricChunk> {
  let points: Point[] = [];
  let datasets = 0;
  let number = 0;
  const add = (line: string) => {
    number += 1;
    if (line.trim() === '') return;
    const parsed = parseMetricLine(line);
    if (parsed === undefined)
      throw new MlferryError('SOURCE_ITEM', `${path}, line ${number} is not a metric value`);
    points.push(parsed.point);
    if (parsed.dataset) datasets += 1;
  };
  let rest = '';
  // Only the fields of a dataset are not ASCII, and those are not kept.
  const file = await openRegularFile(path);
  for await (const chunk of file.createReadStream({ encoding: 'latin1', highWaterMark: CHUNK_BYTES })) {
    const lines = `${rest}${chunk}`.split('\n');
    rest = lines.pop() ?? '';
    if (rest.length > MAX_LINE)
      throw new MlferryError('SOURCE_ITEM', `${path}, line ${number + lines.length + 1} is too long`);
    for (const line of lines) {
      add(line);
      if (points.length === MAX_POINTS) {
        yield { points, datasets };
        points = [];
        datasets = 0;
      }
    }
  }
  if (rest !== '' && tornEnd === 'read') add(rest);
  if (points.length > 0) yield { points, datasets };
}
