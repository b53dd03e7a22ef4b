import type { Action, ManageReport, PlanSummary } from '../manage/manage-job.ts';
import { printable } from '../util/plain-text.ts';
import { redact } from '../util/redact.ts';
import { formatCount } from './format.ts';
import { shellQuote } from './shell-quote.ts';
import { formatTable } from './table.ts';
import { timeText } from './time-text.ts';

/** Experiments shown one by one; `--json` has them all. */
const MOST_SHOWN = 20;

const WORDS: Readonly<Record<Action, { verb: string; done: string; objects: string }>> = {
  'delete-runs': { verb: 'Delete', done: 'Deleted', objects: 'run' },
  'restore-runs': { verb: 'Restore', done: 'Restored', objects: 'run' },
  'tag-runs': { verb: 'Change the tags of', done: 'Changed the tags of', objects: 'run' },
  'move-runs': { verb: 'Move', done: 'Moved', objects: 'run' },
  'rename-run': { verb: 'Rename', done: 'Renamed', objects: 'run' },
  'delete-experiments': { verb: 'Delete', done: 'Deleted', objects: 'experiment' },
  'restore-experiments': { verb: 'Restore', done: 'Restored', objects: 'experiment' },
  'tag-experiments': { verb: 'Change the tags of', done: 'Changed the tags of', objects: 'experiment' },
  'rename-experiment': { verb: 'Rename', done: 'Renamed', objects: 'experiment' },
  undo: { verb: 'Put back', done: 'Put back', objects: 'run or experiment' },
};

function counted(count: number, objects: string): string {
  if (count === 1) return `1 ${objects}`;
  return `${formatCount(count)} ${objects
    .split(' or ')
    .map((word) => `${word}s`)
    .join(' or ')}`;
}

/** What is going to be changed. */
export function formatPlan(plan: PlanSummary): string {
  const { verb, objects } = WORDS[plan.action];
  const shown = plan.experiments.slice(0, MOST_SHOWN);
  const rows = shown.map(({ experiment_id, name, runs, first }) => [
    `  ${experiment_id}`,
    printable(name),
    counted(runs, 'run'),
    printable(`${first.join(', ')}${runs > first.length && first.length > 0 ? ', …' : ''}`),
  ]);
  const more = plan.experiments.length - shown.length;
  return [
    `${verb} ${counted(plan.total, objects)}${targetText(plan)} at ${redact(plan.place.location)}\n`,
    formatTable(rows),
    more > 0 ? `  … and in ${formatCount(more)} more experiments\n` : '',
    plan.descendants > 0
      ? `  ${counted(plan.descendants, 'run')} of them below chosen ones (--no-cascade leaves them)\n`
      : '',
    formatLeftOut(plan),
    ...plan.notes.map((note) => `note: ${printable(note)}\n`),
  ].join('');
}

function targetText({ target }: PlanSummary): string {
  if (target === undefined) return '';
  const { name, experiment_id } = target;
  return experiment_id === undefined
    ? ` to the new experiment "${printable(name)}"`
    : ` to experiment "${printable(name)}" (${experiment_id})`;
}

/** Which runs the time of deletion leaves out, and why. */
function formatLeftOut({ left_out }: PlanSummary): string {
  const [unknown, earlier] = [true, false].map((wanted) =>
    left_out.filter(({ deleted_time }) => (deleted_time === undefined) === wanted),
  );
  const section = (runs: PlanSummary['left_out'] = [], why: string) => {
    if (runs.length === 0) return '';
    const rows = runs
      .slice(0, MOST_SHOWN)
      .map(({ run_id, run_name, deleted_time }) => [
        `  ${printable(run_id)}`,
        printable(run_name),
        ...(deleted_time === undefined ? [] : [timeText(deleted_time)]),
      ]);
    const more = runs.length - rows.length;
    return `Left out: ${counted(runs.length, 'run')} ${why}\n${formatTable(rows)}${more > 0 ? `  … and ${formatCount(more)} more\n` : ''}`;
  };
  return [
    section(
      unknown,
      'of which this place does not tell when they were deleted (it is known of runs that mlferry deleted)',
    ),
    section(earlier, 'deleted before that time'),
  ].join('');
}

/** What was done. */
export function formatManageReport(report: ManageReport, quiet: boolean): string {
  const { done, objects } = WORDS[report.action];
  const failures = report.failures.map(
    ({ code, object, message, hint }) => `  ${printable(object)}: ${printable(message)} (${code}). ${hint}\n`,
  );
  const failed = failures.length > 0 ? `Failed:\n${failures.join('')}` : '';
  const error =
    report.error === undefined
      ? ''
      : `error ${report.error.code}: ${report.error.message}. ${report.error.hint}\n`;
  if (quiet) return `${failed}${error}`;
  return `${headline(report, done, objects)}${failed}${error}${undoHint(report)}`;
}

function headline(report: ManageReport, done: string, objects: string): string {
  if (!report.confirmed) return 'Nothing was changed.\n';
  const already =
    report.unchanged > 0 ? ` ${counted(report.unchanged, objects)} had nothing to be changed.` : '';
  const failed = report.failed > 0 ? ` ${formatCount(report.failed)} failed.` : '';
  if (report.total === 0 && report.failed === 0) return `Nothing to do.${already}\n`;
  if (report.dry_run) return `Dry run: nothing was changed.${already}${failed}\n`;
  return `${done} ${counted(report.changed, objects)}.${already}${failed}\n`;
}

function undoHint({ undo_file, action, place }: ManageReport): string {
  if (undo_file === undefined) return '';
  const group = action.includes('experiment') ? 'experiments' : 'runs';
  return `Undo: mlferry ${group} restore ${shellQuote(redact(place.location))} --from-undo ${shellQuote(undo_file)}\n`;
}
