import { rename, writeFile } from 'node:fs/promises';
import type { CopyResult } from '../copy/copy.ts';
import { copyBetween } from '../copy/copy-between.ts';
import type { JobProgress } from '../job/journal.ts';
import { KINDS } from '../kinds/kinds.ts';
import { type MirrorResult, mirror } from '../mirror/mirror.ts';
import { asMlferryError, MlferryError } from '../util/errors.ts';
import { confirm, mustHaveTerminal } from './confirm.ts';
import { explainSelection } from './explain-selection.ts';
import { formatCount } from './format.ts';
import { BROKEN_PIPE, type Io } from './io.ts';
import { formatManageReport, formatPlan } from './manage-text.ts';
import { undoPath } from './manage-values.ts';
import { parseOptions } from './parse-options.ts';
import { parseShard } from './parse-shard.ts';
import { isPipe } from './pipe.ts';
import { progressLine, progressText } from './progress-line.ts';
import { formatReport } from './report-text.ts';
import { stateDirFor } from './state-dir.ts';
import { formatVerification } from './verify-text.ts';
import { verifyWithProgress } from './verify-with-progress.ts';
import { warnOfCredentials } from './warn-of-credentials.ts';

/** What every copying command does: copy, show progress and report, write the id map, set the exit status. */
export async function runCopy(from: string, to: string, values: unknown, io: Io): Promise<void> {
  const options = parseOptions(values);
  const { job, idMap, explain, json, quiet, verify } = options;
  const shard = options.shard === undefined ? undefined : parseShard(options.shard, io.environment);
  if (verify && [from, to].some(isPipe))
    throw new MlferryError('USAGE', '--verify cannot read a pipe again: write to a file and verify that');
  warnOfCredentials([from, to], io);
  if (explain) return explainSelection(from, job, json, io);
  const mustAsk = options.mirror && !options.yes && job.dryRun !== true;
  if (mustAsk) mustHaveTerminal(io);
  const stateDir = job.dryRun ? undefined : await stateDirFor(job.stateDir, io);
  const progress = progressLine(io, quiet, progressText);
  let result: MirrorResult;
  let shown = false;
  try {
    const copying = {
      ...job,
      shard,
      stateDir,
      environment: io.environment,
      stdin: io.stdin,
      stdout: io.stdout,
      signal: io.signal,
      onProgress: progress.show,
      onJob: ({ job_id, resumed, done, in_doubt, started }: JobProgress) => {
        if (!resumed || done + in_doubt === 0 || quiet) return;
        const since = new Date(started).toISOString();
        io.stderr.write(
          `Resuming job ${job_id} of ${since}: ${formatCount(done)} runs were written before, ${formatCount(in_doubt)} may have been.\n`,
        );
      },
    };
    result = options.mirror
      ? await mirror(from, to, {
          ...copying,
          undoFile: undoPath(options.undoFile, 'mirror', io.environment),
          confirm: async (plan) => {
            progress.end();
            shown = true;
            if (mustAsk || !quiet) io.stderr.write(formatPlan(plan));
            return mustAsk ? confirm(io) : true;
          },
        })
      : await copyBetween(from, to, copying);
  } catch (error) {
    if (!isPipe(to) || io.isPipeClosed?.() !== true) throw error;
    io.exit(BROKEN_PIPE);
    return;
  } finally {
    progress.end();
  }
  const { report, mirror: deletion } = result;
  // Whoever read the pipe had enough, like `head`: nothing to tell, but not done either.
  if (isPipe(to) && io.isPipeClosed?.() === true && report.error !== undefined) {
    io.exit(BROKEN_PIPE);
    return;
  }
  if (idMap !== undefined && !report.dry_run) await writeIdMap(idMap, result);
  // Of a source without experiments there may be no target.
  const verification =
    verify && !report.dry_run && report.error === undefined && report.experiments.read > 0
      ? await verifyWithProgress(
          from,
          to,
          { ...job, mirror: options.mirror, reported: report.losses },
          quiet,
          io,
        )
      : undefined;
  // Of 0, 3 (incomplete) and 4 (different) the higher one is the worse; what ended the verification is higher still.
  const statuses = [report.exit_status, deletion?.exit_status ?? 0, verification?.exit_status ?? 0];
  const worse = Math.max(...statuses);
  const exit_status = io.signalStatus?.() ?? worse;
  if (json) {
    const whole = {
      ...report,
      exit_status,
      ...(deletion === undefined ? {} : { mirror: deletion }),
      ...(verification === undefined ? {} : { verification }),
    };
    (isPipe(to) ? io.stderr : io.stdout).write(`${JSON.stringify(whole)}\n`);
  } else {
    io.stderr.write(formatReport(report, quiet, io.stderr));
    if (shard !== undefined && !quiet)
      io.stderr.write(
        `Shard ${shard.index} of ${shard.count}. When all are done, the same command with --finish instead of --shard brings the rest.\n`,
      );
    if (deletion !== undefined) {
      if (!shown && !quiet && deletion.total + deletion.notes.length > 0)
        io.stderr.write(formatPlan(deletion));
      io.stderr.write(formatManageReport(deletion, quiet));
    }
    if (verification !== undefined)
      io.stderr.write(formatVerification(verification, { quiet, losses: false }));
  }
  io.exit(exit_status);
}

/** One line an object: `{"kind","source_id","target_id"}`. */
async function writeIdMap(file: string, { ids }: CopyResult): Promise<void> {
  const line =
    (kind: string) =>
    ([source_id, target_id]: [string, string]) =>
      `${JSON.stringify({ kind, source_id, target_id })}\n`;
  const lines = KINDS.flatMap(({ kind }) => [...ids.of(kind)].map(line(kind)));
  try {
    await writeFile(`${file}.partial`, lines.join(''));
    await rename(`${file}.partial`, file);
  } catch (error) {
    throw asMlferryError(error, 'USAGE', `The id map ${file} cannot be written`);
  }
}
