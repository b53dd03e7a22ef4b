import { type CopyRules, type OnePlaceOptions, onePlaceOptions, withTempDir } from '../job/job-options.ts';
import { createLedger, exitStatus, failureOf, type Ledger } from '../job/ledger.ts';
import type { Failure, Loss } from '../model/findings.ts';
import type { Manager } from '../places/manager.ts';
import { openManager } from '../places/open.ts';
import type { PlaceInfo } from '../places/place.ts';
import { endsJob } from '../util/ends-job.ts';
import { asMlferryError, type ErrorCode, errorCodes, type MlferryError } from '../util/errors.ts';
import { redact } from '../util/redact.ts';
import { carryOut } from './carry-out.ts';
import type { MoveTarget, Plan } from './changes.ts';
import type { LeftOutRun, Times } from './chosen-runs.ts';
import type { ObjectChange } from './object-changes.ts';
import type { Outcome } from './outcome.ts';
import { writeUndoFile } from './undo-file.ts';

/** What a managing command does, as it stands in reports and undo files. */
export type Action =
  | 'delete-runs'
  | 'restore-runs'
  | 'tag-runs'
  | 'rename-run'
  | 'move-runs'
  | 'delete-experiments'
  | 'restore-experiments'
  | 'tag-experiments'
  | 'rename-experiment'
  | 'tag-models'
  | 'alias-models'
  | 'transition-models'
  | 'delete-models'
  | 'undo';

/** Options of all managing commands; all have defaults. */
export interface ManageOptions extends OnePlaceOptions {
  readonly dryRun?: boolean | undefined;
  /** Where the state before the change is written, before anything is changed; a file of this name must not be there. */
  readonly undoFile?: string | undefined;
  /** Asked with the plan before anything is changed; `false` ends the job. Default: go on. */
  readonly confirm?: ((plan: PlanSummary) => Promise<boolean>) | undefined;
  readonly onProgress?: ((done: number, total: number) => void) | undefined;
}

/** Options of commands that choose runs. */
export interface ChoiceOptions extends ManageOptions, Times {
  readonly selection?: CopyRules['selection'];
}

/** Experiments, runs and models that a plan touches, for people. */
export interface PlanSummary {
  readonly action: Action;
  readonly place: PlaceInfo;
  /** How many objects are to be changed. */
  readonly total: number;
  readonly descendants: number;
  readonly unknown_times: number;
  /** Runs that the time of deletion leaves out: deleted before it, or (`unknown_times` of them) the place does not know when. */
  readonly left_out: readonly LeftOutRun[];
  readonly experiments: ReadonlyArray<{
    readonly experiment_id: string;
    readonly name: string;
    /** Runs of it that are touched. */
    readonly runs: number;
    /** Names of the first of them. */
    readonly first: readonly string[];
  }>;
  /** Registered models, versions and logged models that are touched. */
  readonly objects: ReadonlyArray<
    Pick<ObjectChange, 'kind' | 'id' | 'name' | 'is_prompt' | 'before' | 'after'>
  >;
  /** How many of the objects nothing brings back. */
  readonly final: number;
  readonly notes: readonly string[];
  /** Where the runs go, of a move. */
  readonly target?: MoveTarget;
}

/** The result of a managing command: what `--json` prints. */
export interface ManageReport extends PlanSummary {
  readonly dry_run: boolean;
  /** `false`: the question was answered with no. */
  readonly confirmed: boolean;
  /** Runs or experiments that were changed, as the place says afterwards. */
  readonly changed: number;
  /** Those that already were as they should be. */
  readonly unchanged: number;
  readonly failed: number;
  /** Absent when nothing was to be changed. */
  readonly undo_file?: string;
  /** Whether the place's own bulk routes were used. */
  readonly bulk: boolean;
  readonly failures: readonly Failure[];
  /** Of a move by copies: what these have other than the runs that they stand for. All else is there. */
  readonly losses: readonly Loss[];
  /** Why the job stopped before its end, if it did. */
  readonly error?: { code: ErrorCode; message: string; hint: string };
  readonly seconds: number;
  readonly exit_status: number;
}

const FIRST = 5;

/**
 * What every managing command does: opens the place, makes the plan, asks, writes the undo file, carries the plan out and
 * reads it back. Throws what stops it before anything was changed; afterwards everything is in the report.
 */
export async function manage(
  location: string,
  action: Action,
  options: ManageOptions,
  makePlan: (manager: Manager, ledger: Ledger) => Promise<Plan>,
): Promise<ManageReport> {
  const started = performance.now();
  const ledger = createLedger();
  const dry_run = options.dryRun ?? false;
  return withTempDir(options.tempDir, async (tempDir) => {
    const places = onePlaceOptions(options, tempDir, ledger);
    const manager = await openManager(location, places);
    try {
      const plan = await makePlan(manager, ledger);
      const summary = summaryOf(action, manager.reader.info, plan);
      const outcome: Outcome = { changed: 0, failed: ledger.failureCount(), losses: [] };
      const nothing = summary.total === 0;
      const confirmed = nothing || dry_run || ((await options.confirm?.(summary)) ?? true);
      const acts = confirmed && !dry_run && !nothing;
      const { undoFile } = options;
      if (acts && undoFile !== undefined) await writeUndoFile(undoFile, action, manager.reader.info, plan);
      let error: MlferryError | undefined;
      if (acts) {
        const progress = (done: number) => options.onProgress?.(done, summary.total);
        const { concurrency, signal } = places;
        try {
          await carryOut(plan, { manager, concurrency, signal, findings: ledger, progress }, outcome);
        } catch (thrown) {
          error = asMlferryError(thrown);
        }
      }
      return {
        ...summary,
        dry_run,
        confirmed,
        changed: outcome.changed,
        unchanged: plan.unchanged,
        failed: outcome.failed,
        ...(acts && undoFile !== undefined ? { undo_file: undoFile } : {}),
        bulk: plan.bulk !== undefined,
        failures: ledger.failures,
        losses: outcome.losses,
        ...(error === undefined ? {} : { error: errorOf(error) }),
        seconds: (performance.now() - started) / 1000,
        exit_status: confirmed ? exitStatus(error, ledger.failureCount()) : errorCodes.INTERRUPTED.exit,
      };
    } finally {
      await manager.close();
    }
  });
}

/** Lists what failed for one object while the plan was made; what stops the job is thrown. */
export async function orListed<T>(
  ledger: Ledger,
  object: string,
  step: () => Promise<T>,
): Promise<T | undefined> {
  try {
    return await step();
  } catch (error) {
    const known = asMlferryError(error);
    if (endsJob(known)) throw known;
    ledger.failure(failureOf(object, known));
    return undefined;
  }
}

function errorOf({ code, message, hint }: MlferryError): NonNullable<ManageReport['error']> {
  return { code, message: redact(message), hint };
}

function summaryOf(action: Action, place: PlaceInfo, plan: Plan): PlanSummary {
  const { runs, experiments, objects, names, descendants, left_out, notes, target } = plan;
  const byExperiment = Map.groupBy(runs, ({ experiment_id }) => experiment_id);
  return {
    action,
    place,
    total: runs.length + experiments.length + objects.length,
    descendants,
    unknown_times: left_out.filter(({ deleted_time }) => deleted_time === undefined).length,
    left_out,
    experiments: [
      ...experiments.map(({ experiment_id, name, runs }) => ({ experiment_id, name, runs, first: [] })),
      ...[...byExperiment].map(([experiment_id, own]) => ({
        experiment_id,
        name: names.get(experiment_id) ?? '',
        runs: own.length,
        first: own.slice(0, FIRST).map(({ run_name, run_id }) => run_name || run_id),
      })),
    ],
    objects: objects.map(({ kind, id, name, is_prompt, before, after }) => ({
      ...{ kind, id, name, is_prompt, before, after },
    })),
    final: objects.filter(({ final }) => final).length,
    notes,
    ...(target === undefined ? {} : { target }),
  };
}
