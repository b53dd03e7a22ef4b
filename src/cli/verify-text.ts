import { FURTHER_KINDS } from '../kinds/kinds.ts';
import { errorCodes } from '../util/errors.ts';
import { printable } from '../util/plain-text.ts';
import type { Difference, Shown } from '../verify/difference.ts';
import type { ObjectVerdicts, VerifyItem, VerifyReport } from '../verify/report.ts';
import { formatBytes, formatCount, formatDuration } from './format.ts';
import { lossText } from './loss-text.ts';

/** Fields of one run that are shown; `--json` has up to 100. */
const MOST_FIELDS = 10;

/** What is printed of a verification. */
export interface VerificationText {
  /** Only what is not the same. */
  readonly quiet: boolean;
  /** Each expected loss, not only their number. */
  readonly losses: boolean;
}

/** A verification for people: a line for each experiment and run that is not the same, its fields below, then the counts. */
export function formatVerification(report: VerifyReport, { quiet, losses }: VerificationText): string {
  const { items, error } = report;
  const parts = items.map((item) => itemText(item));
  if (!quiet) parts.push(lossesText(report, losses), summary(report));
  if (error !== undefined) parts.push(`error ${error.code}: ${error.message}. ${error.hint}\n`);
  return parts.join('');
}

function itemText(item: VerifyItem): string {
  const { symbol, kind, id, name, experiment_name, target_id, differences, reason } = item;
  const what = id === '' ? name : `${kind} ${id} ${JSON.stringify(name)}`;
  const where = experiment_name === undefined ? '' : ` of experiment ${JSON.stringify(experiment_name)}`;
  const copy = target_id === undefined || target_id === id ? '' : ` (copy ${target_id})`;
  const because = reason === undefined ? '' : `: ${reason}`;
  const shown = differences
    .slice(0, MOST_FIELDS)
    .map((difference) => `    ${printable(differenceText(difference))}\n`);
  const hidden = differences.length - shown.length + (item.unlisted_differences ?? 0);
  const more = hidden > 0 ? `    … ${formatCount(hidden)} more fields\n` : '';
  return `${printable(`${symbol} ${what}${where}${copy}${because}`)}\n${shown.join('')}${more}`;
}

function differenceText({ field, source, target, points }: Difference): string {
  if (points === undefined) return `${field}: ${valueText(source)} / ${valueText(target)}`;
  const { first, only_in_source, only_in_target } = points;
  const values = `${numberText(first.source)} / ${numberText(first.target)}`;
  const counts = `${formatCount(only_in_source)} only in the source, ${formatCount(only_in_target)} only in the target`;
  return `${field}: first differing point step ${first.step} timestamp ${first.timestamp} value ${values} (${counts})`;
}

const valueText = (value: Shown) => (value === null ? 'nothing' : JSON.stringify(value));

function numberText(value: Shown): string {
  if (value === null) return 'nothing';
  return Object.is(value, -0) ? '-0' : String(value);
}

function lossesText({ loss_counts, losses }: VerifyReport, each: boolean): string {
  const codes = Object.entries(loss_counts);
  if (codes.length === 0) return '';
  const lines = codes.map(([code, count]) => {
    const listed = each ? losses.filter((loss) => loss.code === code) : [];
    const shown = listed.map((loss) => `    ${lossText(loss)}\n`);
    return `  ${code} ${formatCount(count)}\n${shown.join('')}`;
  });
  return `Expected losses${each ? '' : ' (--losses lists them)'}:\n${lines.join('')}`;
}

function summary(report: VerifyReport): string {
  const { from, to, experiments, runs, objects, checked, quick, error, seconds } = report;
  const same = report.exit_status === 0;
  const places = to === undefined ? from.location : `${from.location} → ${to.location}`;
  const verdict =
    error !== undefined
      ? 'Stopped'
      : same
        ? to === undefined
          ? 'Sound'
          : 'Same'
        : isIncomplete(report)
          ? to === undefined
            ? 'Sound, but incomplete'
            : 'The same in what is there, but incomplete'
          : to === undefined
            ? 'Not sound'
            : 'Not the same';
  const rest = [
    ...(runs.others > 0
      ? [`${formatCount(runs.others)} runs of the target are no copies of this source's`]
      : []),
    ...(runs.unselected > 0 ? [`copies that the selection leaves out: ${formatCount(runs.unselected)}`] : []),
  ];
  const amount = `${formatCount(checked.artifacts)} artifacts${quick ? '' : ` (${formatBytes(checked.artifact_bytes)})`}`;
  const points = quick && to !== undefined ? 'latest points' : `${formatCount(checked.points)} points`;
  return [
    `${verdict}: ${places}${quick ? ' (quick)' : ''}`,
    `experiments: ${verdictText(experiments)}`,
    `runs: ${verdictText(runs)}`,
    ...FURTHER_KINDS.flatMap(({ counted, words }) => {
      const verdicts = objects?.[counted];
      return verdicts === undefined ? [] : [`${words.many}: ${verdictText(verdicts)}`];
    }),
    ...rest,
    `checked ${points}, ${amount} in ${formatDuration(seconds)}`,
  ]
    .map((line) => `${line}\n`)
    .join('');
}

/** Whether what is there is right, and something stays behind. */
function isIncomplete({ items, exit_status }: VerifyReport): boolean {
  return exit_status === errorCodes.INCOMPLETE.exit && items.every(({ symbol }) => symbol === '=');
}

function verdictText(verdicts: ObjectVerdicts): string {
  const parts: Array<[number, string]> = [
    [verdicts.different, '* different'],
    [verdicts.only_in_source, '+ only in the source'],
    [verdicts.only_in_target, '- only in the target'],
    [verdicts.unreadable, '! unreadable'],
    [verdicts.left_out ?? 0, 'left out'],
  ];
  const said = parts.filter(([count]) => count > 0).map(([count, what]) => `${formatCount(count)} ${what}`);
  return [`${formatCount(verdicts.same)} = same`, ...said].join(', ');
}
