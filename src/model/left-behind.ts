import { z } from 'zod';
import { type Failure, isContent, isLossCode, type Loss } from './findings.ts';

/** Most things of one code that are named; of the others there is only the number. */
const MOST_NAMED = 100;

/** One thing that stayed behind: whose it is, and what became of it. */
const named = z.strictObject({
  experiment_name: z.string().exactOptional(),
  run_id: z.string().exactOptional(),
  of: z.strictObject({ kind: z.string(), id: z.string(), name: z.string().exactOptional() }).exactOptional(),
  key: z.string().exactOptional(),
  /** How many values, points or files; 1 unless told. */
  count: z.int().positive().exactOptional(),
  detail: z.string(),
});
type Named = z.infer<typeof named>;

/**
 * What an archive or stream lacks of its source, by one code of a loss: behind all objects, before the end. Codes are open: a
 * later version of mlferry may have others.
 */
export const leftBehind = z.strictObject({
  kind: z.literal('left_behind'),
  code: z.string().regex(/^[A-Z][A-Z_]{0,63}$/),
  /** Of all values, points, files or objects, the named ones among them. */
  count: z.int().positive(),
  named: z.array(named).min(1).max(MOST_NAMED),
});
export type LeftBehind = z.infer<typeof leftBehind>;

/** Collects what stays behind: of each code the number, and the first ones in an order that no chance has part in. */
export interface LeftBehindList {
  loss(loss: Loss): void;
  failure(failure: Failure): void;
  /** By code. */
  all(): LeftBehind[];
}

/** An empty {@link LeftBehindList}. */
export function createLeftBehind(): LeftBehindList {
  const codes = new Map<string, { count: number; texts: string[] }>();
  const add = (code: string, count: number, item: Named) => {
    const of = codes.get(code) ?? { count: 0, texts: [] };
    codes.set(code, of);
    of.count += count;
    of.texts.push(JSON.stringify(item));
    if (of.texts.length >= 2 * MOST_NAMED) of.texts = first(of.texts);
  };
  return {
    loss: (loss) => {
      // A run's own record says that it is incomplete.
      if (!isContent(loss) || loss.code === 'RUN_INCOMPLETE') return;
      const { code, experiment_name, run_id, of, key, count, detail } = loss;
      add(code, count ?? 1, {
        ...(experiment_name === undefined ? {} : { experiment_name }),
        ...(run_id === undefined ? {} : { run_id }),
        ...(of === undefined ? {} : { of }),
        ...(key === undefined ? {} : { key }),
        ...(count === undefined ? {} : { count }),
        detail,
      });
    },
    failure: ({ code, object, run_id, of, message }) => {
      // What is not there stays nowhere.
      if (code === 'NOT_FOUND') return;
      add('NOT_READ', 1, {
        ...(run_id === undefined ? {} : { run_id }),
        ...(of === undefined ? {} : { of }),
        detail: `${object}: ${message}`,
      });
    },
    all: () =>
      [...codes]
        .sort(([a], [b]) => (a < b ? -1 : 1))
        .map(([code, { count, texts }]) => ({
          kind: 'left_behind',
          code,
          count,
          named: first(texts).map((text) => named.parse(JSON.parse(text))),
        })),
  };
}

const first = (texts: readonly string[]) => texts.toSorted().slice(0, MOST_NAMED);

const NOT_NAMED = 'the archive or stream has only the number of these';

/** The losses that a reader tells of what a file lacks; those that it does not name as one. */
export function lossesOf({ code, count, named: items }: LeftBehind): Loss[] {
  const known = isLossCode(code) ? code : 'NOT_READ';
  const rest = items.reduce((left, item) => left - (item.count ?? 1), count);
  return [
    ...items.map((item): Loss => ({ ...item, code: known, left_behind: true })),
    ...(rest > 0 ? [{ code: known, left_behind: true, count: rest, detail: NOT_NAMED }] : []),
  ];
}
