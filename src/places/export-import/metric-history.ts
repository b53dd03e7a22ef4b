import { z } from 'zod';
import { type Int64, int64Answer } from '../../model/int64.ts';
import { buildPoints, slicePoints } from '../../model/points.ts';
import { MAX_POINTS } from '../../model/records.ts';
import { jsonList } from '../../model/split-json.ts';
import { MlferryError } from '../../util/errors.ts';
import { readRange } from '../../util/read-range.ts';
import { openRegularFile, readSmallFile } from '../../util/regular-file.ts';
import type { MetricPoints } from '../place.ts';
import { checked, reasonOf } from './export-file.ts';

/** The points of a metric: a list in the bytes `start` to `end` of the file. `moment` (ms) is that of a value by itself. */
export interface Series {
  readonly key: string;
  readonly moment: Int64;
  readonly start: number;
  readonly end: number;
}

/** What the points of a run tell besides. */
export interface PointNotes {
  /** Points with a dataset. */
  datasets: number;
  /** Logged models → points. */
  readonly models: Map<string, number>;
  /** Metrics that have no history: until 2021 only their latest value was exported. */
  withoutHistory: number;
}

const NON_FINITE: readonly string[] = ['NaN', 'Infinity', '-Infinity'];

const value = z.union([
  z.number(),
  z
    .string()
    .refine((text) => NON_FINITE.includes(text) || /^-?\d+$/.test(text), 'is no number')
    .transform(Number),
]);

const exportedPoints = z.array(
  z.preprocess(
    (item) => (typeof item === 'object' ? item : { value: item }),
    z.object({
      value,
      timestamp: int64Answer.optional(),
      step: int64Answer.optional(),
      model_id: z.string().nullish(),
      dataset_name: z.string().nullish(),
    }),
  ),
);

/** Longest file that is read at once (bytes). */
const SMALL = 2 ** 20;

/** The points of these metrics of a file, in their order. Throws SOURCE_ITEM. */
export async function* readSeries(
  path: string,
  size: number,
  series: readonly Series[],
  notes?: PointNotes,
): AsyncGenerator<MetricPoints> {
  if (series.length === 0) return;
  if (size <= SMALL) {
    const bytes = readSmallFile(path, SMALL);
    for (const each of series) yield* pointsOf(path, each, [bytes.subarray(each.start, each.end)], notes);
    return;
  }
  const file = await openRegularFile(path);
  try {
    for (const each of series) {
      const list = readRange(file, each.start, each.end, path);
      yield* pointsOf(path, each, list, notes);
    }
  } finally {
    await file.close();
  }
}

async function* pointsOf(
  path: string,
  { key, moment }: Series,
  list: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
  notes: PointNotes | undefined,
): AsyncGenerator<MetricPoints> {
  try {
    for await (const batch of jsonList(asObject(list))) {
      const points = buildPoints();
      for (const { step, timestamp, value, model_id, dataset_name } of checked(
        exportedPoints,
        batch,
        `${path}, metric ${JSON.stringify(key)},`,
      )) {
        points.push(step ?? 0, timestamp ?? moment, value);
        if (notes === undefined) continue;
        if (step === undefined) notes.withoutHistory += 1;
        if (dataset_name) notes.datasets += 1;
        if (model_id) notes.models.set(model_id, (notes.models.get(model_id) ?? 0) + 1);
      }
      for (let from = 0; from < points.length; from += MAX_POINTS)
        yield { key, points: slicePoints(points, from, from + MAX_POINTS) };
    }
  } catch (error) {
    if (error instanceof MlferryError && error.code === 'SOURCE_ITEM') throw error;
    const message = `${path}: the history of ${JSON.stringify(key)} cannot be read: ${reasonOf(error)}`;
    throw new MlferryError('SOURCE_ITEM', message, { cause: error });
  }
}

const OPEN_LIST = 0x5b;

/** A list, or the only value, as the object with one list that {@link jsonList} reads. */
async function* asObject(list: AsyncIterable<Uint8Array> | Iterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  let isList: boolean | undefined;
  for await (const piece of list) {
    if (isList === undefined) {
      isList = piece[0] === OPEN_LIST;
      yield Buffer.from(isList ? '{"points":' : '{"points":[');
    }
    yield piece;
  }
  yield Buffer.from(isList === true ? '}' : ']}');
}
