import { explain } from '../inspect/explain.ts';
import type { JobOptions } from '../job/job-options.ts';
import type { Explanation } from '../places/place.ts';
import { printable } from '../util/plain-text.ts';
import { redact } from '../util/redact.ts';
import { formatCount } from './format.ts';
import type { Io } from './io.ts';

/** What `--explain` does: prints who works out which part of a selection. */
export async function explainSelection(
  place: string,
  options: JobOptions,
  json: boolean,
  io: Io,
): Promise<void> {
  const explanation = await explain(place, {
    ...options,
    environment: io.environment,
    stdin: io.stdin,
    signal: io.signal,
  });
  io.stdout.write(json ? `${JSON.stringify(explanation)}\n` : explanationText(explanation));
  io.exit(0);
}

function explanationText(explanation: Explanation): string {
  const { place, dialect, pushed, here, histories, order, experiments, searches, refused } = explanation;
  const lines: Array<readonly [string, string | undefined]> = [
    ['place', `${place.kind} ${place.location}`],
    ['dialect', dialect ?? 'none: mlferry reads every selected run and judges it itself'],
    [place.kind, pushed ?? (dialect === undefined ? undefined : 'nothing')],
    ['mlferry', here ?? 'nothing that the server does not'],
    ['histories', historiesText(histories)],
    ['order', order === undefined ? undefined : orderText(order)],
    [
      'searches',
      experiments === undefined || searches === undefined
        ? undefined
        : `${formatCount(searches)} for ${formatCount(experiments)} experiments, more where many runs fit`,
    ],
    ...refused.map((text): readonly [string, string] => ['refused', redact(text)]),
  ];
  return lines
    .map(([name, text]) => (text === undefined ? '' : `${name.padEnd(10)} ${printable(text)}\n`))
    .join('');
}

function historiesText(keys: readonly string[]): string {
  return keys.length === 0
    ? 'none are read'
    : `${keys.map((key) => JSON.stringify(key)).join(', ')} of runs that nothing else decides`;
}

function orderText({ columns, pushed, first }: NonNullable<Explanation['order']>): string {
  return `${columns.join(', ')}; the first ${formatCount(first)}, sorted by ${pushed ? 'the server' : 'mlferry'}`;
}
