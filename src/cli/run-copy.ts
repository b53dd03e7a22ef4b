import { rename, writeFile } from 'node:fs/promises';
import type { CopyResult } from '../copy/copy.ts';
import { copyBetween } from '../copy/job.ts';
import { asMlferryError } from '../util/errors.ts';
import { redact } from '../util/redact.ts';
import { explainSelection } from './explain-selection.ts';
import { formatCount } from './format.ts';
import type { Io } from './io.ts';
import { parseOptions } from './options.ts';
import { progressLine } from './progress-line.ts';
import { formatReport } from './report-text.ts';
import { stateDirFor } from './state-dir.ts';

/** What every copying command does: copy, show progress and report, write the id map, set the exit status. */
export async function runCopy(from: string, to: string, values: unknown, io: Io): Promise<void> {
  const { job, idMap, explain, json, quiet } = parseOptions(values);
  warnOfCredentials([from, to], io);
  if (explain) return explainSelection(from, job, json, io);
  const stateDir = job.dryRun ? undefined : await stateDirFor(job.stateDir, io);
  const progress = progressLine(io.stderr, quiet);
  let result: CopyResult;
  try {
    result = await copyBetween(from, to, {
      ...job,
      stateDir,
      environment: io.environment,
      stdin: io.stdin,
      stdout: io.stdout,
      signal: io.signal,
      onProgress: progress.show,
      onJob: ({ job_id, resumed, done, started }) => {
        if (!resumed || quiet) return;
        const since = new Date(started).toISOString();
        io.stderr.write(
          `Resuming job ${job_id} of ${since}: ${formatCount(done)} runs were written before.\n`,
        );
      },
    });
  } finally {
    progress.end();
  }
  const { report } = result;
  if (idMap !== undefined && !report.dry_run) await writeIdMap(idMap, result);
  const exit_status = io.signalStatus?.() ?? report.exit_status;
  if (json) (to === '-' ? io.stderr : io.stdout).write(`${JSON.stringify({ ...report, exit_status })}\n`);
  else io.stderr.write(formatReport(report, quiet, io.stderr));
  io.exit(exit_status);
}

/** Says on stderr which locations carry credentials. */
export function warnOfCredentials(locations: readonly string[], io: Io): void {
  for (const location of locations) {
    if (!/^[a-z]+:\/\/[^/?#]*@/i.test(location)) continue;
    io.stderr.write(
      `warning: credentials in ${redact(location)} can be seen by others on this machine; use MLFERRY_FROM_… and MLFERRY_TO_… variables\n`,
    );
  }
}

/** One line per experiment and run: `{"kind","source_id","target_id"}`. */
async function writeIdMap(file: string, { experimentIds, runIds }: CopyResult): Promise<void> {
  const line =
    (kind: string) =>
    ([source_id, target_id]: [string, string]) =>
      `${JSON.stringify({ kind, source_id, target_id })}\n`;
  const lines = [...[...experimentIds].map(line('experiment')), ...[...runIds].map(line('run'))];
  try {
    await writeFile(`${file}.partial`, lines.join(''));
    await rename(`${file}.partial`, file);
  } catch (error) {
    throw asMlferryError(error, 'USAGE', `The id map ${file} cannot be written`);
  }
}
