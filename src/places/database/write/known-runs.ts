import { z } from 'zod';
import {
  DIGEST_TAG,
  FILES_TAG,
  ORIGIN_PARENT_TAG,
  ORIGIN_TAG,
  originRunId,
} from '../../../model/canonical.ts';
import { runStatus } from '../../../model/records.ts';
import { nullableText, numericId, optionalInteger, stage } from '../read/cells.ts';
import { checkedRows } from '../read/store.ts';
import type { Target } from './target.ts';

/** A copy of a run, as far as its row and mlferry's tags tell. */
export interface KnownRun {
  readonly run_id: string;
  readonly experiment_id: string;
  readonly status: string;
  readonly end_time: number | string | null;
  readonly lifecycle_stage: 'active' | 'deleted';
  readonly digest: string | undefined;
  /** The files that it has had, as a text of a list. */
  readonly files: string | undefined;
  readonly origin_parent: string | undefined;
}

/** The copies that a database holds. */
export interface KnownRuns {
  /** The copy of a source run in an experiment. */
  find(experiment_id: string, source_run_id: string): Promise<KnownRun | undefined>;
  /** The copies of source runs in any of these experiments: source run_id → run_id. */
  anywhere(source_run_ids: readonly string[], experiments: ReadonlySet<string>): Promise<Map<string, string>>;
}

/** Runs in one query. */
const PAGE = 5000;

const row = z.object({
  run_uuid: z.string(),
  experiment_id: numericId,
  status: runStatus,
  end_time: optionalInteger,
  lifecycle_stage: stage,
  origin: z.string(),
  digest: nullableText,
  files: nullableText,
  origin_parent: nullableText,
});

/** Reads them, all at once, when they are first asked for. */
export function createKnownRuns(target: Target): KnownRuns {
  let reading: Promise<Map<string, KnownRun[]>> | undefined;
  const all = () => {
    reading ??= readCopies(target);
    return reading;
  };
  return {
    find: async (experiment_id, source_run_id) =>
      (await all()).get(source_run_id)?.find((copy) => copy.experiment_id === experiment_id),
    async anywhere(source_run_ids, experiments) {
      const copies = await all();
      return new Map(
        source_run_ids.flatMap((id) => {
          const copy = copies.get(id)?.find(({ experiment_id }) => experiments.has(experiment_id));
          return copy === undefined ? [] : [[id, copy.run_id] as const];
        }),
      );
    },
  };
}

/** Source run_id → its copies. */
async function readCopies(target: Target): Promise<Map<string, KnownRun[]>> {
  const marks: ReadonlyArray<readonly [name: string, key: string]> = [
    ['digest', DIGEST_TAG],
    ['files', FILES_TAG],
    ['origin_parent', ORIGIN_PARENT_TAG],
  ];
  const columns = target.tables.columns('runs', [
    ...['run_uuid', 'experiment_id', 'status', 'end_time', 'lifecycle_stage'],
  ]);
  const sql =
    `SELECT ${columns}, "origins"."value" AS "origin"${marks.map(([name]) => `, "${name}"."value" AS "${name}"`).join('')}` +
    ' FROM "tags" AS "origins" JOIN "runs" ON "runs"."run_uuid" = "origins"."run_uuid"' +
    marks
      .map(
        ([name, key]) =>
          ` LEFT JOIN "tags" AS "${name}" ON "${name}"."run_uuid" = "origins"."run_uuid" AND "${name}"."key" = '${key}'`,
      )
      .join('') +
    ` WHERE "origins"."key" = '${ORIGIN_TAG}' AND "origins"."run_uuid" > ? ORDER BY "origins"."run_uuid" LIMIT ${PAGE}`;
  const copies = new Map<string, KnownRun[]>();
  for (let after = ''; ; ) {
    const rows = await checkedRows(target, row, sql, [after]);
    for (const { run_uuid, end_time, origin, ...rest } of rows) {
      const source = originRunId(origin);
      const own = copies.get(source) ?? [];
      own.push({ run_id: run_uuid, end_time: end_time ?? null, ...rest });
      copies.set(source, own);
    }
    const last = rows.at(-1)?.run_uuid;
    if (last === undefined || rows.length < PAGE) return copies;
    after = last;
  }
}
