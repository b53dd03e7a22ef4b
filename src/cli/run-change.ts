import { createLogUpdate } from 'log-update';
import type { Action, ManageOptions, ManageReport } from '../manage/manage-job.ts';
import { confirm, mustHaveTerminal } from './confirm.ts';
import { formatCount } from './format.ts';
import type { Io } from './io.ts';
import { formatManageReport, formatPlan } from './manage-text.ts';
import { changeValues, placeOf, undoPath } from './manage-values.ts';
import { warnOfCredentials } from './warn-of-credentials.ts';

/**
 * What every changing command does: shows the plan, asks on a terminal (`--yes`: does not), prints the report, sets the exit
 * status. Throws USAGE, before anything is read, when it would have to ask and there is no terminal. `asks: false`: the
 * command line names the one object.
 */
export async function runChange(
  place: string,
  values: unknown,
  action: Action,
  io: Io,
  change: (options: ManageOptions) => Promise<ManageReport>,
  asks = true,
): Promise<void> {
  const { yes, dryRun, undoFile, json, quiet } = changeValues(values);
  const mustAsk = asks && !yes && !dryRun;
  if (mustAsk) mustHaveTerminal(io);
  warnOfCredentials([place], io);
  let shown = false;
  const progress =
    io.stderr.isTTY === true && !quiet && io.debug !== true ? createLogUpdate(io.stderr) : undefined;
  let report: ManageReport;
  try {
    report = await change({
      ...placeOf(values, io),
      dryRun,
      undoFile: undoPath(undoFile, action, io.environment),
      confirm: async (plan) => {
        shown = true;
        if (mustAsk || !quiet) io.stderr.write(formatPlan(plan));
        return mustAsk ? confirm(io) : true;
      },
      onProgress: (done, total) => progress?.(`${formatCount(done)} of ${formatCount(total)}`),
    });
  } finally {
    progress?.clear();
  }
  if (!shown && !quiet && (report.total > 0 || report.left_out.length > 0))
    io.stderr.write(formatPlan(report));
  if (json) io.stdout.write(`${JSON.stringify(report)}\n`);
  else io.stderr.write(formatManageReport(report, quiet));
  io.exit(report.exit_status);
}
