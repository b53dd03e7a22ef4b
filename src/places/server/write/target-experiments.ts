import type { Findings } from '../../../model/findings.ts';
import type { TargetLimits } from '../../../model/mlflow/limits.ts';
import type { Experiment } from '../../../model/records.ts';
import { ownValue, type StringMap } from '../../../model/string-map.ts';
import { appendAll } from '../../../util/append-all.ts';
import { endsJob } from '../../../util/ends-job.ts';
import { MlferryError } from '../../../util/errors.ts';
import type { TargetExperiment } from '../../place.ts';
import { fitExperimentTags } from '../../writing/fit-experiment-tags.ts';
import { createOnce, isRefused, type Patience } from './create-once.ts';
import { type DuplicateCopy, type KnownRun, scanKnownRuns } from './known-runs.ts';
import { type TargetRoutes, unlessMissing } from './target-routes.ts';

/** An experiment of the target during a pass. */
export interface ExperimentState {
  readonly experiment_id: string;
  readonly name: string;
  /** Root of its runs' artifacts; '' when not known (created in this pass). */
  readonly artifact_location: string;
  /** Whether an experiment of the source that goes here is deleted: then this one ends deleted, with its runs. */
  sourceDeleted: boolean;
  /** Whether it is deleted now. */
  deleted: boolean;
  /** Copied runs by source run_id; scanned when first asked for. */
  known(): Promise<Map<string, KnownRun>>;
  /** Second copies that the scan found. */
  readonly duplicates: DuplicateCopy[];
  /** Source run_id → origin of runs that may have been created twice. */
  readonly suspects: Map<string, string>;
  /**
   * Throws CONFLICT when it is the very experiment of the source, because it holds this run of it: then both addresses lead
   * to one server, or to a copy of its database.
   */
  mustNotHold(source_run_id: string): Promise<void>;
  /** Makes a deleted experiment writable; MLflow revives all its runs with it. */
  revive(): Promise<void>;
}

/** The experiments of a target that a pass has to do with. */
export interface TargetExperiments {
  /** Finds an experiment by name or creates it, and brings its tags up to date. */
  open(source: Experiment, name: string): Promise<TargetExperiment>;
  get(experiment_id: string): ExperimentState;
  all(): Iterable<ExperimentState>;
}

/** What opening experiments needs; `limits` is asked anew each time, because it can become stricter. */
export interface ExperimentContext extends Patience {
  readonly routes: TargetRoutes;
  readonly findings: Findings;
  /** Whether the source is a place that lives, and no picture of one. */
  readonly sourceIsAlive: boolean;
  limits(): TargetLimits;
}

/** See {@link TargetExperiments}. */
export function targetExperiments(context: ExperimentContext): TargetExperiments {
  const { routes, findings } = context;
  let planned: Promise<string> | undefined;
  const byName = new Map<string, ExperimentState>();
  const byId = new Map<string, ExperimentState>();

  function remember(
    found: Pick<Experiment, 'experiment_id' | 'name' | 'artifact_location'>,
    deleted: boolean,
    fresh: boolean,
    looksLikeSource = false,
  ): ExperimentState {
    let checked: Promise<void> | undefined;
    let known: Promise<Map<string, KnownRun>> | undefined = fresh ? Promise.resolve(new Map()) : undefined;
    let revived: Promise<void> | undefined;
    const state: ExperimentState = {
      experiment_id: found.experiment_id,
      name: found.name,
      artifact_location: found.artifact_location,
      sourceDeleted: false,
      deleted,
      duplicates: [],
      suspects: new Map(),
      known() {
        known ??= scan();
        return known;
      },
      mustNotHold(source_run_id) {
        checked ??= looksLikeSource ? notThere(source_run_id, found.name) : Promise.resolve();
        return checked;
      },
      async revive() {
        if (!state.deleted) return;
        // Not found: an earlier try, whose answer was lost, has restored it.
        revived ??= unlessMissing(routes.restoreExperiment(state.experiment_id)).then(() => {
          state.deleted = false;
          revived = undefined;
        });
        await revived;
      },
    };
    async function scan(): Promise<Map<string, KnownRun>> {
      const scanned = await scanKnownRuns(routes, state.experiment_id);
      appendAll(state.duplicates, scanned.duplicates);
      return scanned.known;
    }
    byName.set(found.name, state);
    byId.set(found.experiment_id, state);
    return state;
  }

  /** An experiment of the same id, made in the same millisecond. */
  function isLike(found: Experiment, { experiment_id, creation_time }: Experiment): boolean {
    const same = found.experiment_id === experiment_id && found.creation_time === creation_time;
    return same && creation_time !== undefined && context.sourceIsAlive;
  }

  async function notThere(source_run_id: string, name: string): Promise<void> {
    try {
      await routes.getRun(source_run_id);
    } catch (error) {
      if (error instanceof MlferryError && !endsJob(error)) return;
      throw error;
    }
    const message = `Experiment ${JSON.stringify(name)} of the target is the source’s own: it holds the very run ${source_run_id}. Source and target are one server, or one has a copy of the other’s database`;
    throw new MlferryError('CONFLICT', message, {
      hint: 'Name another target, or another experiment on it with --into or --rename.',
    });
  }

  async function create(
    name: string,
    tags: StringMap,
  ): Promise<{ state: ExperimentState; present: StringMap }> {
    const sent = fitTags(name, tags);
    const find = async () => (await routes.experimentByName(name))?.experiment_id;
    const experiment_id = routes.changes
      ? await createOnce(() => routes.createExperiment(name, sent), find, context)
      : `new experiment ${byId.size + 1}`;
    const artifact_location = routes.changes ? '' : await plannedLocation(experiment_id);
    return { state: remember({ experiment_id, name, artifact_location }, false, true), present: tags };
  }

  /** Where a server puts a new experiment: beside its first one. Only a dry run need know before. */
  async function plannedLocation(experiment_id: string): Promise<string> {
    planned ??= routes.firstLocation();
    return (await planned).replace(/\/0\/*$/, `/${experiment_id}`);
  }

  /** The tags as the target takes them; what it does not take is reported. */
  function fitTags(name: string, tags: StringMap): StringMap {
    const fitted = fitExperimentTags(tags, context.limits());
    for (const loss of fitted.losses) findings.loss({ ...loss, experiment_name: name });
    return fitted.tags;
  }

  async function updateTags(state: ExperimentState, source: StringMap, present: StringMap): Promise<void> {
    const differing = Object.entries(source).filter(([key, value]) => ownValue(present, key) !== value);
    if (differing.length === 0) return;
    const fitted = fitTags(state.name, Object.fromEntries(differing));
    for (const [key, value] of Object.entries(fitted)) {
      if (ownValue(present, key) === value) continue;
      await state.revive();
      try {
        await routes.setExperimentTag(state.experiment_id, key, value);
      } catch (error) {
        if (!(error instanceof MlferryError) || error.code !== 'REFUSED') throw error;
        const detail = `the target refused the experiment tag, and it is lost: ${error.message}`;
        findings.loss({
          code: 'VALUE_NOT_ALLOWED',
          left_behind: true,
          experiment_name: state.name,
          key,
          detail,
        });
      }
    }
  }

  /** Throws REFUSED where an active experiment of the source is a deleted one here. */
  function reuse(found: Experiment, source: Experiment) {
    const isDeleted = found.lifecycle_stage === 'deleted';
    if (isDeleted && source.lifecycle_stage !== 'deleted')
      throw new MlferryError(
        'REFUSED',
        `Experiment ${JSON.stringify(found.name)} is deleted on the target (id ${found.experiment_id}), and active at the source`,
        { hint: 'Restore it on the target, or copy to another name with --rename.' },
      );
    const state = remember(found, isDeleted, false, isLike(found, source));
    return { state, present: found.tags, created: false };
  }

  async function findOrCreate(source: Experiment, name: string) {
    const found = await routes.experimentByName(name);
    if (found !== undefined) return reuse(found, source);
    try {
      return { ...(await create(name, source.tags)), created: true };
    } catch (error) {
      // Another process may have made it since it was looked for.
      const other = isRefused(error) ? await routes.experimentByName(name) : undefined;
      if (other === undefined) throw error;
      return reuse(other, source);
    }
  }

  return {
    async open(source, name) {
      const known = byName.get(name);
      const { state, present, created } =
        known === undefined
          ? await findOrCreate(source, name)
          : { state: known, present: {}, created: false };
      state.sourceDeleted ||= source.lifecycle_stage === 'deleted';
      await updateTags(state, source.tags, present);
      return { experiment_id: state.experiment_id, name, created };
    },
    get(experiment_id) {
      const state = byId.get(experiment_id);
      if (state === undefined) throw new MlferryError('BUG', `Experiment ${experiment_id} was not opened`);
      return state;
    },
    all: () => byId.values(),
  };
}
