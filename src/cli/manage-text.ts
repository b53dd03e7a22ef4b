import { kindOf } from '../kinds/kinds.ts';
import type { Action, ManageReport, PlanSummary } from '../manage/manage-job.ts';
import { ownValue } from '../model/string-map.ts';
import { printable } from '../util/plain-text.ts';
import { redact } from '../util/redact.ts';
import { cut } from './cut.ts';
import { formatCount } from './format.ts';
import { countLosses, formatLossCounts, formatLosses } from './loss-text.ts';
import { shellQuote } from './shell-quote.ts';
import { formatTable } from './table.ts';
import { timeText } from './time-text.ts';

/** Experiments shown one by one; `--json` has them all. */
const MOST_SHOWN = 20;
/** Characters of a value of a tag. */
const MOST_VALUE = 40;

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
  'tag-models': { verb: 'Change the tags of', done: 'Changed the tags of', objects: 'model or version' },
  'alias-models': { verb: 'Change aliases of', done: 'Changed aliases of', objects: 'registered model' },
  'transition-models': { verb: 'Change the stage of', done: 'Changed the stage of', objects: 'version' },
  'delete-models': { verb: 'Delete', done: 'Deleted', objects: 'model or version' },
  undo: { verb: 'Put back', done: 'Put back', objects: 'run or experiment' },
};

/** An undo is of what its file holds. */
function wordsOf({ action, objects }: PlanSummary): (typeof WORDS)[Action] {
  const words = WORDS[action];
  return action === 'undo' && objects.length > 0 ? { ...words, objects: WORDS['tag-models'].objects } : words;
}

function counted(count: number, objects: string): string {
  if (count === 1) return `1 ${objects}`;
  return `${formatCount(count)} ${objects
    .split(' or ')
    .map((word) => `${word}s`)
    .join(' or ')}`;
}

/** What is going to be changed. */
export function formatPlan(plan: PlanSummary): string {
  const { verb, objects } = wordsOf(plan);
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
    objectRows(plan),
    more > 0 ? `  … and in ${formatCount(more)} more experiments\n` : '',
    plan.descendants > 0
      ? `  ${counted(plan.descendants, 'run')} of them below chosen ones (--no-cascade leaves them)\n`
      : '',
    formatLeftOut(plan),
    ...plan.notes.map((note) => `note: ${printable(note)}\n`),
  ].join('');
}

/** Models and versions that are touched, and how; no rows where there are none. */
function objectRows({ objects }: PlanSummary): string {
  const rows = objects
    .slice(0, MOST_SHOWN)
    .map(({ kind, id, name, is_prompt, before, after }) => [
      `  ${is_prompt ? 'prompt ' : ''}${kindOf(kind).words.one}`,
      printable(id),
      printable(name === id ? '' : name),
      printable(changesOf(before, after)),
    ]);
  const more = objects.length - rows.length;
  return `${formatTable(rows)}${more > 0 ? `  … and ${formatCount(more)} more\n` : ''}`;
}

type ObjectStates = PlanSummary['objects'][number];

/** `champion: 3 → 5, stage Staging → Production`. */
function changesOf(before: ObjectStates['before'], after: ObjectStates['after']): string {
  const pairs = (field: 'tags' | 'aliases') =>
    Object.entries(after[field] ?? {}).map(
      ([key, value]) => `${key}: ${shown(ownValue(before[field] ?? {}, key))} → ${shown(value)}`,
    );
  const { current_stage: stage } = after;
  return [
    ...pairs('aliases'),
    ...pairs('tags'),
    ...(stage === undefined ? [] : [`${before.current_stage} → ${stage}`]),
  ].join(', ');
}

const shown = (value: string | null | undefined) => cut(value ?? '-', MOST_VALUE);

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
  const { done, objects } = wordsOf(report);
  const failures = report.failures.map(
    ({ code, object, message, hint }) => `  ${printable(object)}: ${printable(message)} (${code}). ${hint}\n`,
  );
  const failed = failures.length > 0 ? `Failed:\n${failures.join('')}` : '';
  const error =
    report.error === undefined
      ? ''
      : `error ${report.error.code}: ${report.error.message}. ${report.error.hint}\n`;
  const counts = countLosses(report.losses);
  if (quiet) return `${formatLossCounts(counts)}${failed}${error}`;
  const losses = formatLosses(report.losses, counts);
  return `${headline(report, done, objects)}${losses}${failed}${error}${undoHint(report)}`;
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

function undoHint({ undo_file, action, place, total, final }: ManageReport): string {
  if (undo_file === undefined) return '';
  if (final > 0 && final === total) return `What was deleted for good is described in ${undo_file}\n`;
  const group = action.includes('experiment') ? 'experiments' : action.includes('model') ? 'models' : 'runs';
  return `Undo: mlferry ${group} restore ${shellQuote(redact(place.location))} --from-undo ${shellQuote(undo_file)}\n`;
}
