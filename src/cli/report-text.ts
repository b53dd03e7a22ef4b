import { styleText } from 'node:util';
import type { Report } from '../copy/report.ts';
import { FURTHER_KINDS } from '../kinds/kinds.ts';
import type { Failure } from '../model/findings.ts';
import { plainText } from '../util/plain-text.ts';
import { formatBytes, formatCount, formatDuration } from './format.ts';
import type { Io } from './io.ts';
import { formatLossCounts, formatLosses } from './loss-text.ts';
import { formatTable } from './table.ts';

/** The report for people. With `quiet` only what went wrong. */
export function formatReport(report: Report, quiet: boolean, stream: Io['stderr']): string {
  const paint = (style: 'red', text: string) => (stream.isTTY === true ? styleText(style, text) : text);
  const parts: string[] = [];
  if (quiet) parts.push(formatLossCounts(report.loss_counts));
  else
    parts.push(
      headline(report),
      table(report),
      ways(report),
      formatLosses(report.losses, report.loss_counts),
    );
  if (report.failures.length > 0) parts.push(paint('red', failures(report)));
  if (report.error !== undefined) {
    parts.push(
      `${paint('red', `error ${report.error.code}`)}: ${report.error.message}. ${report.error.hint}\n`,
    );
  }
  return parts.join('');
}

function headline({ from, to, dry_run, error, runs, objects = {}, exit_status }: Report): string {
  const written = [runs, ...Object.values(objects)].reduce(
    (sum, { created, updated }) => sum + created + updated,
    0,
  );
  if (dry_run) return `Plan: ${from.location} → ${to.location}; nothing was written.\n`;
  if (error !== undefined) return `Stopped: ${from.location} → ${to.location}\n`;
  if (exit_status !== 0) return `Finished, but incomplete: ${from.location} → ${to.location}\n`;
  if (written === 0 && runs.read > 0) return `Nothing to do: ${to.location} already holds everything.\n`;
  return `Done: ${from.location} → ${to.location}\n`;
}

function table({ experiments, runs, objects, sent, seconds, dry_run }: Report): string {
  const rows: string[][] = [
    ['experiments', formatCount(experiments.read), `${experiments.created} new`],
    ['runs', formatCount(runs.read), runSummary(runs)],
    ...objectRows(objects),
    ['points', formatCount(sent.points), dry_run ? 'to send' : 'sent'],
    [
      'artifacts',
      formatCount(sent.artifacts),
      `${formatBytes(sent.artifact_bytes)} ${dry_run ? 'to send' : 'sent'}`,
    ],
  ];
  const text = formatTable(rows);
  return dry_run ? text : `${text}took ${formatDuration(seconds)}\n`;
}

/** How files go, beforehand; afterwards only what did not go directly. */
function ways({ artifact_ways = [], dry_run }: Report): string {
  const told = artifact_ways.filter(({ way }) => dry_run || way === 'indirect');
  const lines = told.map(({ side, store, way, reason }) => {
    const by = way === 'direct' ? 'directly' : `not directly: ${reason}`;
    return `  ${plainText(`${side === 'from' ? 'read from' : 'written to'} ${store} ${by}`)}\n`;
  });
  return lines.length === 0 ? '' : `Artifacts are\n${lines.join('')}`;
}

function objectRows(objects: Report['objects'] = {}): string[][] {
  return FURTHER_KINDS.flatMap(({ counted, words }) => {
    const counts = objects[counted];
    if (counts === undefined) return [];
    const parts: Array<[number, string]> = [
      [counts.created, 'new'],
      [counts.updated, 'completed'],
      [counts.unchanged, 'unchanged'],
      [counts.left, 'deleted on the target and left so'],
      [counts.failed, 'failed'],
      [counts.not_held, 'left behind: the target cannot hold them'],
      [counts.left_out, 'left out'],
    ];
    return [[words.many, formatCount(counts.read), said(parts)]];
  });
}

function said(parts: ReadonlyArray<readonly [count: number, words: string]>): string {
  const texts = parts.filter(([count]) => count > 0).map(([count, what]) => `${formatCount(count)} ${what}`);
  return texts.length > 0 ? texts.join(', ') : 'none';
}

function runSummary(runs: Report['runs']): string {
  const parts: Array<[number, string]> = [
    [runs.created, 'new'],
    [runs.updated, 'completed or grown'],
    [runs.unchanged, 'unchanged'],
    [runs.left, 'deleted on the target and left so'],
    [runs.failed, 'failed'],
    [runs.left_out, 'deleted left out (--view all takes them along)'],
  ];
  return said(parts);
}

function failures(report: Report): string {
  const lines = report.failures.map(
    ({ code, object, message, hint }: Failure) =>
      `  ${plainText(`${object}: ${message} (${code}). ${hint}`)}\n`,
  );
  const more = report.unlisted > 0 ? `  … ${report.unlisted} more\n` : '';
  return `Failed:\n${lines.join('')}${more}`;
}
