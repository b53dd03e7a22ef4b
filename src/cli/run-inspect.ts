import { inspect, type Summary } from '../inspect/inspect.ts';
import { FURTHER_KINDS } from '../kinds/kinds.ts';
import { plainText } from '../util/plain-text.ts';
import { redact } from '../util/redact.ts';
import { explainSelection } from './explain-selection.ts';
import { formatBytes, formatCount } from './format.ts';
import type { Io } from './io.ts';
import { lossText } from './loss-text.ts';
import { parseOptions } from './parse-options.ts';
import { formatTable } from './table.ts';

/** What `mlferry inspect` does. */
export async function runInspect(place: string, values: unknown, io: Io): Promise<void> {
  const { job, explain, json } = parseOptions(values);
  if (explain) return explainSelection(place, job, json, io);
  const summary = await inspect(place, {
    ...job,
    environment: io.environment,
    stdin: io.stdin,
    signal: io.signal,
  });
  io.stdout.write(json ? `${JSON.stringify(summary)}\n` : summaryText(summary));
  for (const { object, message, hint } of summary.failures)
    io.stderr.write(`${plainText(`${object}: ${redact(message)}. ${hint}`)}\n`);
  io.exit(summary.failures.length > 0 ? 3 : 0);
}

function summaryText({ place, experiments, total, objects, losses }: Summary): string {
  const version = place.server_version === undefined ? '' : `, MLflow ${place.server_version}`;
  const rows = [...experiments, { ...total, experiment_id: '', name: 'total', lifecycle_stage: '' }].map(
    (row) => [
      plainText(row.experiment_id, 100),
      plainText(row.name, 200),
      row.lifecycle_stage,
      formatCount(row.runs),
      statuses(row.statuses),
      formatCount(row.metric_keys),
      row.points === undefined ? '' : formatCount(row.points),
      row.artifacts === undefined ? '' : formatCount(row.artifacts),
      row.artifact_bytes === undefined ? '' : formatBytes(row.artifact_bytes),
    ],
  );
  const heads = ['id', 'experiment', 'stage', 'runs', 'status', 'metrics', 'points', 'files', 'bytes'];
  const notes = losses.map((loss) => `note: ${loss.code} ${lossText(loss)}\n`);
  return `${place.kind} ${place.location}${version}\n\n${formatTable([heads, ...rows])}${objectsText(objects)}${notes.length > 0 ? '\n' : ''}${notes.join('')}`;
}

function objectsText(objects: Summary['objects'] = {}): string {
  const rows = FURTHER_KINDS.flatMap(({ counted, words }) => {
    const amount = objects[counted];
    if (amount === undefined) return [];
    const { count, artifacts, artifact_bytes: bytes, left_out: leftOut } = amount;
    const files =
      artifacts === undefined ? '' : `${formatCount(artifacts)} files, ${formatBytes(bytes ?? 0)}`;
    const left = leftOut === undefined ? '' : `${formatCount(leftOut)} left out`;
    return [[words.many, formatCount(count), [files, left].filter((text) => text !== '').join(', ')]];
  });
  return rows.length === 0 ? '' : `\n${formatTable(rows)}`;
}

function statuses(counts: Readonly<Record<string, number>>): string {
  return Object.entries(counts)
    .map(([status, count]) => `${count} ${status.toLowerCase()}`)
    .join(', ');
}
