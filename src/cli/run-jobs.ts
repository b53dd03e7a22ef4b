import { z } from 'zod';
import { forgetJob, type JobSummary, listJobs, pruneJobs, showJob } from '../job/jobs.ts';
import { formatCount } from './format.ts';
import type { Io } from './io.ts';
import { defaultStateDir } from './state-dir.ts';
import { formatTable } from './table.ts';

const jobsOptions = z.object({ stateDir: z.string().optional(), json: z.boolean().default(false) });

const pruneOptions = z.object({ days: z.number() });

/** Of the names in `jobs show`, in characters. */
const WIDTH = 16;

/** What `mlferry jobs list` does. */
export async function runJobsList(values: unknown, io: Io): Promise<void> {
  const { stateDir, json } = optionsOf(values, io);
  const all = await listJobs(stateDir);
  io.stdout.write(json ? `${JSON.stringify(all)}\n` : listText(all));
}

/** What `mlferry jobs show` does. */
export async function runJobsShow(id: string, values: unknown, io: Io): Promise<void> {
  const { stateDir, json } = optionsOf(values, io);
  const job = await showJob(stateDir, id);
  io.stdout.write(json ? `${JSON.stringify(job)}\n` : showText(job));
}

/** What `mlferry jobs forget` does. */
export async function runJobsForget(id: string, values: unknown, io: Io): Promise<void> {
  const { stateDir, json } = optionsOf(values, io);
  const job = await forgetJob(stateDir, id);
  if (json) io.stdout.write(`${JSON.stringify(job)}\n`);
  else io.stderr.write(`Forgotten: job ${job.job_id}\n`);
}

/** What `mlferry jobs prune` does. */
export async function runJobsPrune(values: unknown, io: Io): Promise<void> {
  const { stateDir, json } = optionsOf(values, io);
  const { days } = pruneOptions.parse(values);
  const forgotten = await pruneJobs(stateDir, Date.now() - days * 24 * 3_600_000);
  if (json) io.stdout.write(`${JSON.stringify(forgotten)}\n`);
  else io.stderr.write(`Forgotten: ${formatCount(forgotten.length)} jobs\n`);
}

function optionsOf(values: unknown, io: Io): { stateDir: string; json: boolean } {
  const { stateDir, json } = jobsOptions.parse(values);
  return { stateDir: stateDir ?? defaultStateDir(io.environment), json };
}

function listText(jobs: readonly JobSummary[]): string {
  if (jobs.length === 0) return 'No jobs.\n';
  const rows = jobs.map(({ job_id, state, started, runs_done, from, to }) => [
    job_id,
    state,
    timeText(started),
    formatCount(runs_done),
    from ?? '',
    to ?? '',
  ]);
  return formatTable([['job', 'state', 'started', 'runs', 'from', 'to'], ...rows]);
}

function showText(job: JobSummary): string {
  const { holder, options = {} } = job;
  const rows: string[][] = [
    ['job', job.job_id],
    ['state', job.state],
    ['from', job.from ?? ''],
    ['to', job.to ?? ''],
    ['started', timeText(job.started)],
    ['ended', timeText(job.ended)],
    ['exit status', job.exit_status?.toString() ?? ''],
    ['step', job.step],
    ['runs written', formatCount(job.runs_done)],
    ['runs in doubt', formatCount(job.runs_open)],
    [
      'process',
      holder === undefined ? '' : `${holder.pid} on ${holder.host} since ${timeText(holder.started)}`,
    ],
    ['mlferry', job.tool_version ?? ''],
    ['directory', job.directory],
    ...Object.entries(options).map(([name, value]) => [name, JSON.stringify(value)]),
  ];
  const told = rows.filter(([, value]) => value !== '');
  return told.map(([name = '', value]) => `${name.padEnd(WIDTH)}${value}\n`).join('');
}

function timeText(time: number | undefined): string {
  return time === undefined ? '' : new Date(time).toISOString();
}
