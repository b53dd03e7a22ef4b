import { z } from 'zod';
import { DIGEST_TAG } from '../../../model/canonical.ts';
import { MlferryError } from '../../../util/errors.ts';
import { integer, nullableText } from '../read/cells.ts';
import { IDS, rowsOf } from '../read/store.ts';
import type { Target } from './target.ts';

/** What must be in the database of a run that was written. */
interface Expected {
  /** `undefined`: not known, the run is not complete or somebody else's. */
  readonly digest: string | undefined;
  /** Points that were inserted. */
  readonly points: number;
}

/** Compares what was written with what is there in the end. */
export interface ReadBack {
  expect(run_id: string, expected: Expected): void;
  compare(): Promise<void>;
}

const digestRow = z.object({ run_uuid: z.string(), digest: nullableText });
const pointsRow = z.object({ run_uuid: z.string(), points: integer });

/** Runs that lack what was written become failures. */
export function createReadBack(target: Target): ReadBack {
  const written = new Map<string, Expected>();

  const compareSome = async (ids: readonly string[]) => {
    const digests = await rowsOf(
      target,
      digestRow,
      ids,
      (list) =>
        'SELECT "runs"."run_uuid" AS "run_uuid", "tags"."value" AS "digest" FROM "runs"' +
        ` LEFT JOIN "tags" ON "tags"."run_uuid" = "runs"."run_uuid" AND "tags"."key" = '${DIGEST_TAG}'` +
        ` WHERE "runs"."run_uuid" IN ${list}`,
    );
    const counts = await rowsOf(
      target,
      pointsRow,
      ids.filter((id) => (written.get(id)?.points ?? 0) > 0),
      (list) =>
        `SELECT "run_uuid", count(*) AS "points" FROM "metrics" WHERE "run_uuid" IN ${list} GROUP BY "run_uuid"`,
    );
    const digestOf = new Map(digests.map(({ run_uuid, digest }) => [run_uuid, digest]));
    const pointsOf = new Map(counts.map(({ run_uuid, points }) => [run_uuid, Number(points)]));
    for (const id of ids) {
      const { digest, points = 0 } = written.get(id) ?? {};
      const isThere = digestOf.has(id) && (digest === undefined || digestOf.get(id) === digest);
      if (isThere && (pointsOf.get(id) ?? 0) >= points) continue;
      const { code, message, hint } = new MlferryError('MISMATCH', 'The run is no longer what was written');
      target.failure({ code, object: `run ${id}`, run_id: id, message, hint });
    }
  };

  return {
    expect: (run_id, expected) => void written.set(run_id, expected),
    async compare() {
      const ids = [...written.keys()];
      for (let at = 0; at < ids.length; at += IDS) await compareSome(ids.slice(at, at + IDS));
    },
  };
}
