import { z } from 'zod';
import type { JobSummary } from '../../job/jobs.ts';
import { lockHolder } from '../../util/lock-file.ts';
import { count } from './parts.ts';
import { schemaOf } from './schema-of.ts';

const time = count.meta({ description: 'ms since the epoch' });

/** What `mlferry jobs` prints of a job. */
export const jobSummary = schemaOf<JobSummary>()(
  z.strictObject({
    job_id: z.string(),
    directory: z.string(),
    state: z.enum(['running', 'elsewhere', 'unfinished', 'done', 'incomplete', 'failed']),
    from: z.string().exactOptional(),
    to: z.string().exactOptional(),
    options: z.record(z.string(), z.unknown()).exactOptional(),
    tool_version: z.string().exactOptional(),
    started: time.exactOptional(),
    ended: time.exactOptional(),
    exit_status: count.exactOptional(),
    step: z.enum(['runs', 'second_pass', 'finish']),
    runs_done: count,
    runs_open: count,
    holder: lockHolder.exactOptional(),
  }),
);
