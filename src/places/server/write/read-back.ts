import pLimit from 'p-limit';
import { z } from 'zod';
import type { Findings } from '../../../model/findings.ts';
import { toJson } from '../../../model/json.ts';
import { compareLatest } from '../../../model/mlflow/latest-points.ts';
import { type DatasetInput, type Point, type Run, run as runRecord } from '../../../model/records.ts';
import { ownValue } from '../../../model/string-map.ts';
import { createByteSpool } from '../../../util/byte-spool.ts';
import { comparablePoint } from '../../writing/sift-points.ts';
import { inputKey } from './run-changes.ts';
import type { TargetRoutes } from './target-routes.ts';

/** Keeps what the target must show of the runs written in a pass, and compares at the end. */
export interface ReadBack {
  expect(source_run_id: string, expected: { created: boolean; run: Run }): Promise<void>;
  /** Tags set (`null`: removed) and stages changed after the run was written. */
  amend(run_id: string, change: { tags?: Readonly<Record<string, string | null>>; deleted?: boolean }): void;
  /** The experiment was deleted, with all its runs. */
  amendExperiment(experiment_id: string): void;
  /** One search for each hundred runs. What differs goes to the findings: MISMATCH, or the loss DATASET_DIFFERS. */
  compare(routes: TargetRoutes, findings: Findings): Promise<void>;
  close(): Promise<void>;
}

const PER_SEARCH = 100;
const line = z.strictObject({ created: z.boolean(), run: runRecord });
type Line = z.infer<typeof line>;

interface Amendment {
  tags: Map<string, string | null>;
  deleted: boolean | undefined;
}

/** An empty {@link ReadBack}. The records wait in a file: only their places are held in memory. */
export function createReadBack(tempDir: string): ReadBack {
  const spool = createByteSpool(tempDir);
  const alone = pLimit(1);
  const places: Array<{
    run_id: string;
    experiment_id: string;
    source_run_id: string;
    start: number;
    end: number;
  }> = [];
  const amendments = new Map<string, Amendment>();
  const deletedExperiments = new Set<string>();

  async function load({ start, end }: { start: number; end: number }): Promise<Line> {
    const chunks: Uint8Array[] = [];
    for await (const chunk of spool.read(start, end)) chunks.push(chunk);
    return line.parse(JSON.parse(Buffer.concat(chunks).toString('utf8')));
  }

  return {
    async expect(source_run_id, { created, run }) {
      await alone(async () => {
        const start = spool.length();
        await spool.append(Buffer.from(toJson({ created, run })));
        const { run_id, experiment_id } = run;
        places.push({ run_id, experiment_id, source_run_id, start, end: spool.length() });
      });
    },
    amend(run_id, { tags = {}, deleted }) {
      const amendment = amendments.get(run_id) ?? { tags: new Map(), deleted: undefined };
      for (const [key, value] of Object.entries(tags)) amendment.tags.set(key, value);
      amendment.deleted = deleted ?? amendment.deleted;
      amendments.set(run_id, amendment);
    },
    amendExperiment: (experiment_id) => void deletedExperiments.add(experiment_id),
    async compare(routes, findings) {
      for (let at = 0; at < places.length; at += PER_SEARCH) {
        const group = places.slice(at, at + PER_SEARCH);
        const there = new Map<string, Run>();
        const ids = group.map(({ run_id }) => `'${run_id}'`).join(',');
        const experiments = [...new Set(group.map(({ experiment_id }) => experiment_id))];
        for await (const page of routes.searchRuns(experiments, `attributes.run_id IN (${ids})`)) {
          for (const run of page) there.set(run.run_id, run);
        }
        for (const place of group) {
          const expected = await load(place);
          const found = there.get(place.run_id);
          const amendment = amendments.get(place.run_id);
          const stage = deletedExperiments.has(place.experiment_id)
            ? undefined
            : amendment?.deleted
              ? 'deleted'
              : 'active';
          const field =
            found === undefined ? 'the run itself' : difference(expected, found, amendment?.tags, stage);
          if (field !== undefined) {
            findings.failure({
              code: 'MISMATCH',
              object: `run ${place.source_run_id}`,
              message: `Its copy ${place.run_id} on the target differs from what was sent in ${field}`,
              hint: 'Somebody may have changed it meanwhile; run the same command again.',
            });
          }
          for (const input of differingInputs(expected.run, found)) {
            findings.loss({
              code: 'DATASET_DIFFERS',
              run_id: place.source_run_id,
              key: input.dataset.name,
              detail:
                'the target had a dataset of this name and digest already, with another source, schema, profile or tags, and keeps those',
            });
          }
        }
      }
    },
    close: () => spool.remove(),
  };
}

/** The first field in which a run differs from what was sent; fields that only the target has are not looked at. */
function difference(
  { created, run }: Line,
  found: Run,
  amendedTags: ReadonlyMap<string, string | null> | undefined,
  stage: Run['lifecycle_stage'] | undefined,
): string | undefined {
  for (const field of ['status', 'start_time', 'end_time', 'run_name', 'user_id'] as const) {
    if ((run[field] ?? 0) !== (found[field] ?? 0)) return field;
  }
  if (stage !== undefined && found.lifecycle_stage !== stage) return 'lifecycle_stage';
  for (const [key, value] of Object.entries(run.params)) {
    if (ownValue(found.params, key) !== value) return `param ${JSON.stringify(key)}`;
  }
  const tags = new Map<string, string | null>([...Object.entries(run.tags), ...(amendedTags ?? [])]);
  for (const [key, value] of tags) {
    // A server that cannot remove a tag has emptied it.
    if (value === null ? ownValue(found.tags, key) : ownValue(found.tags, key) !== value)
      return `tag ${JSON.stringify(key)}`;
  }
  for (const [key, point] of Object.entries(run.latest_metrics)) {
    const latest = ownValue(found.latest_metrics, key);
    if (latest === undefined || !isLatest(point, latest, created)) return `metric ${JSON.stringify(key)}`;
  }
  const inputs = new Set(found.dataset_inputs.map(inputKey));
  const missing = run.dataset_inputs.find((input) => !inputs.has(inputKey(input)));
  return missing === undefined ? undefined : `dataset ${JSON.stringify(missing.dataset.name)}`;
}

/**
 * A run just created must show exactly this point; one that was there may have a later one. Of points with the same step
 * and time, one of them NaN, MLflow versions choose differently.
 */
function isLatest(sent: Point, latest: Point, exactly: boolean): boolean {
  const wanted = comparablePoint(sent);
  const found = comparablePoint(latest);
  if (!exactly && compareLatest(found, wanted) >= 0) return true;
  const sameMoment = wanted[0] === found[0] && wanted[1] === found[1];
  return sameMoment && (wanted[2] === found[2] || wanted[2] === 'NaN' || found[2] === 'NaN');
}

function differingInputs(expected: Run, found: Run | undefined): DatasetInput[] {
  if (found === undefined) return [];
  const there = new Map(found.dataset_inputs.map((input) => [inputKey(input), input]));
  // An empty schema or profile and none are the same to a server.
  const text = ({ dataset, tags }: DatasetInput) =>
    JSON.stringify([
      dataset.source_type,
      dataset.source,
      dataset.schema || '',
      dataset.profile || '',
      Object.entries(tags).sort(),
    ]);
  return expected.dataset_inputs.filter((input) => {
    const other = there.get(inputKey(input));
    return other !== undefined && text(input) !== text(other);
  });
}
