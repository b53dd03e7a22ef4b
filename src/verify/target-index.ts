import { DIGEST_TAG, DUPLICATE_COPY_TAG, ORIGIN_TAG, originRunId } from '../model/canonical.ts';
import { modelPaths } from '../model/mlflow/model-history.ts';
import { MODEL_HISTORY_TAG } from '../model/mlflow/tags.ts';
import type { Experiment, Run } from '../model/records.ts';
import { ALL_ACTIVE, type Selection } from '../model/selection.ts';
import { ownValue } from '../model/string-map.ts';
import type { Reader } from '../places/place.ts';

/** Everything, deleted or not. */
export const EVERYTHING: Selection = { ...ALL_ACTIVE, view: 'all' };

/** A run of the target that no source run was found for. */
export interface Unmatched {
  readonly run_id: string;
  readonly run_name: string;
  readonly experiment_name: string;
  readonly lifecycle_stage: Run['lifecycle_stage'];
  /** Its source's run id. */
  readonly source_id: string;
  /** The copy that counts, when this is a second one of the same run. */
  readonly duplicate_of?: string;
}

/** Which runs of the target are copies of which source runs. Only ids are held. */
export interface TargetIndex {
  /** Scans an experiment of the target. `sources`: ids of the source runs that belong there. */
  scan(experiment: Experiment, sources: ReadonlySet<string>): Promise<void>;
  /** Scans any other experiment: only for references and for runs that the source no longer has. */
  scanOther(experiment: Experiment, sources: ReadonlySet<string>): Promise<void>;
  copyOf(experiment_id: string, source_id: string): string | undefined;
  /** Where the models of a run are in its copy, as the record of that tells. */
  modelsOf(source_id: string): ReadonlyMap<string, string> | undefined;
  /** Source id → target id of all that was found. */
  readonly runIds: ReadonlyMap<string, string>;
  readonly unmatched: readonly Unmatched[];
  /** Runs that are no copies of this source's. */
  others(): number;
}

interface Found extends Pick<Run, 'run_id' | 'run_name' | 'lifecycle_stage'> {
  readonly rank: number;
}

/** An empty {@link TargetIndex} of a target, for copies from this source. `held`: runs that it has under their own ids. */
export function createTargetIndex(target: Reader, source: Reader, held: readonly string[]): TargetIndex {
  const copies = new Map<string, Map<string, Found>>();
  const runIds = new Map(held.map((id) => [id, id]));
  const unmatched: Unmatched[] = [];
  /** Copy → where its models are. */
  const models = new Map<string, ReadonlyMap<string, string>>();
  const ofSameSource =
    target.representation === undefined && target.info.fingerprint === source.info.fingerprint;
  let others = 0;

  /** The source run that a run of the target stands for, and how surely. */
  function sourceOf(run: Run, sources: ReadonlySet<string>): { id: string; rank: number } | undefined {
    const origin = ownValue(run.tags, ORIGIN_TAG);
    const complete = ownValue(run.tags, DIGEST_TAG) ? 2 : 0;
    const active = run.lifecycle_stage === 'active' ? 1 : 0;
    if (target.representation === undefined && sources.has(run.run_id)) return { id: run.run_id, rank: 8 };
    if (origin !== undefined && sources.has(originRunId(origin)))
      return { id: originRunId(origin), rank: 4 + complete + active };
    return sources.has(run.run_id) ? { id: run.run_id, rank: 0 } : undefined;
  }

  function leave(run: Run, experiment_name: string): void {
    const origin = ownValue(run.tags, ORIGIN_TAG);
    const { run_id, run_name, lifecycle_stage } = run;
    const isOurs =
      ofSameSource ||
      (target.representation !== undefined && origin?.startsWith(`${source.info.fingerprint}/`) === true);
    if (!isOurs) others += 1;
    else {
      const source_id = ofSameSource || origin === undefined ? run_id : originRunId(origin);
      unmatched.push({ run_id, run_name, lifecycle_stage, experiment_name, source_id });
      // Runs that named it at the source name it here.
      if (target.representation !== undefined && !runIds.has(source_id)) runIds.set(source_id, run_id);
    }
  }

  /** An empty second copy that mlferry deleted itself. */
  const isRemovedCopy = ({ lifecycle_stage, tags }: Run) =>
    target.representation !== undefined &&
    lifecycle_stage === 'deleted' &&
    ownValue(tags, DUPLICATE_COPY_TAG) !== undefined;

  async function* runsOf(experiment: Experiment): AsyncGenerator<Run> {
    for await (const { run } of target.runs(experiment, EVERYTHING)) {
      if (isRemovedCopy(run)) others += 1;
      else yield run;
    }
  }

  return {
    runIds,
    unmatched,
    others: () => others,
    modelsOf: (source_id) => models.get(runIds.get(source_id) ?? ''),
    copyOf: (experiment_id, source_id) => copies.get(experiment_id)?.get(source_id)?.run_id,
    async scan(experiment, sources) {
      const own = copies.get(experiment.experiment_id) ?? new Map<string, Found>();
      copies.set(experiment.experiment_id, own);
      for await (const run of runsOf(experiment)) {
        const match = sourceOf(run, sources);
        if (match === undefined) {
          leave(run, experiment.name);
          continue;
        }
        const history =
          target.traits.modelsInRuns === true ? ownValue(run.tags, MODEL_HISTORY_TAG) : undefined;
        if (history !== undefined) models.set(run.run_id, modelPaths(history));
        const { run_id, run_name, lifecycle_stage } = run;
        const found = { run_id, run_name, lifecycle_stage, rank: match.rank };
        const known = own.get(match.id);
        const [better, worse] =
          known !== undefined && known.rank >= found.rank ? [known, found] : [found, known];
        own.set(match.id, better);
        runIds.set(match.id, better.run_id);
        if (worse === undefined) continue;
        // The run itself beside its copy, in the place that is both source and target.
        if (worse.rank === 0) others += 1;
        else {
          unmatched.push({
            run_id: worse.run_id,
            run_name: worse.run_name,
            lifecycle_stage: worse.lifecycle_stage,
            experiment_name: experiment.name,
            source_id: match.id,
            duplicate_of: better.run_id,
          });
        }
      }
    },
    async scanOther(experiment, sources) {
      for await (const run of runsOf(experiment)) {
        const origin = ownValue(run.tags, ORIGIN_TAG);
        const source_id = origin === undefined ? run.run_id : originRunId(origin);
        if (origin !== undefined && !runIds.has(source_id) && !sources.has(source_id))
          runIds.set(source_id, run.run_id);
        if (sources.has(source_id)) others += 1;
        else leave(run, experiment.name);
      }
    },
  };
}
