import { describeObject } from '../kinds/kinds.ts';
import type { Loss } from '../model/findings.ts';
import { plainText } from '../util/plain-text.ts';
import { formatCount } from './format.ts';

/** Losses of one code that are shown one by one; `--json` has them all. */
const MOST_SHOWN = 5;

/** Losses for people, by code. `counts`: how many of each, listed or not. */
export function formatLosses(losses: readonly Loss[], counts: Readonly<Record<string, number>>): string {
  const codes = Object.entries(counts);
  if (codes.length === 0) return '';
  const lines = codes.map(([code, count]) => {
    const listed = losses.filter((loss) => loss.code === code);
    const shown = listed.slice(0, MOST_SHOWN).map((loss) => `    ${lossText(loss)}\n`);
    const more =
      listed.length > MOST_SHOWN
        ? `    … ${listed.length - MOST_SHOWN} more entries (--json lists them)\n`
        : '';
    return `  ${code} ${formatCount(count)}\n${shown.join('')}${more}`;
  });
  return `Not carried over as it was:\n${lines.join('')}`;
}

/** How many losses there are of each code. */
export function countLosses(losses: readonly Loss[]): Record<string, number> {
  const counts = new Map<string, number>();
  for (const { code, count = 1 } of losses) counts.set(code, (counts.get(code) ?? 0) + count);
  return Object.fromEntries(counts);
}

/** Losses in a line a code. */
export function formatLossCounts(counts: Readonly<Record<string, number>>): string {
  return Object.entries(counts)
    .map(([code, count]) => `${code} ${formatCount(count)}\n`)
    .join('');
}

/** One loss for people: whose it is, and what became of it. */
export function lossText({ experiment_name, run_id, of, key, detail }: Loss): string {
  const where = [
    ...(experiment_name === undefined ? [] : [`experiment ${JSON.stringify(experiment_name)}`]),
    ...(run_id === undefined ? [] : [`run ${run_id}`]),
    ...(of === undefined ? [] : [describeObject(of)]),
    ...(key === undefined ? [] : [JSON.stringify(key)]),
  ].join(' ');
  return plainText(where === '' ? detail : `${where}: ${detail}`);
}
