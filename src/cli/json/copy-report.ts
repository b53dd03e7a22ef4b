import { z } from 'zod';
import type { ObjectCounts, Report } from '../../copy/report.ts';
import type { JobProgress } from '../../job/journal.ts';
import type { ArtifactWay } from '../../model/findings.ts';
import { changeReport } from './change-report.ts';
import { count, exitStatus, failure, loss, lossCounts, place, seconds, stopped } from './parts.ts';
import { schemaOf } from './schema-of.ts';
import { verifyReport } from './verify-report.ts';

const objectCounts = schemaOf<ObjectCounts>()(
  z.strictObject({
    read: count,
    created: count,
    updated: count,
    unchanged: count,
    left: count.meta({ description: 'deleted on the target and left so' }),
    failed: count,
    not_held: count.meta({ description: 'the target cannot hold this kind' }),
    left_out: count.meta({
      description: 'left out as it was asked for; of runs: deleted ones that the view did not select',
    }),
  }),
);

const job = schemaOf<JobProgress>()(
  z.strictObject({
    job_id: z.string(),
    resumed: z.boolean(),
    done: count,
    in_doubt: count,
    started: count.meta({ description: 'ms since the epoch' }),
  }),
);

const fields = {
  from: place,
  to: place,
  dry_run: z.boolean(),
  experiments: z.strictObject({ read: count, created: count }),
  runs: objectCounts.omit({ not_held: true }),
  objects: z.record(z.string(), objectCounts).exactOptional(),
  sent: z.strictObject({ points: count, artifacts: count, artifact_bytes: count }),
  loss_counts: lossCounts,
  artifact_ways: z
    .array(
      schemaOf<ArtifactWay>()(
        z.strictObject({
          side: z.enum(['from', 'to']),
          store: z.string(),
          way: z.enum(['direct', 'indirect']),
          reason: z.string().exactOptional().meta({ description: 'why it is not direct' }),
        }),
      ),
    )
    .meta({ description: 'how files that are in object stores go' })
    .exactOptional(),
  losses: z.array(loss),
  failures: z.array(failure),
  unlisted: count.meta({ description: 'losses and failures that are counted but not listed' }),
  error: stopped.exactOptional(),
  job: job.exactOptional(),
  seconds,
  exit_status: exitStatus,
};

schemaOf<Report>()(z.strictObject(fields));

/** What copying commands print: the library's report, with the deletion of `--mirror` and the verification of `--verify`. */
export const copyReport = z.strictObject({
  ...fields,
  mirror: changeReport.exactOptional().meta({ description: 'what --mirror deleted' }),
  verification: verifyReport.exactOptional(),
});
