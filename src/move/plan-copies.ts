import type { Ledger } from '../job/ledger.ts';
import { failureOf } from '../job/ledger.ts';
import { runReferences } from '../kinds/remap.ts';
import { holdAncestorsBack } from '../manage/carry-out.ts';
import { type MoveTarget, NO_PLAN, type Plan, type RunChange } from '../manage/changes.ts';
import { objectsMadeOfRuns, objectsNamingRuns } from '../manage/objects-naming-runs.ts';
import { chooseMoving, type MoveRunsOptions, type MovingChoice, stillRunning } from '../manage/plan-move.ts';
import { readRuns } from '../manage/read-runs.ts';
import { DIGEST_TAG, DUPLICATE_COPY_TAG, ORIGIN_TAG, originRunId, runDigest } from '../model/canonical.ts';
import type { Findings, Loss } from '../model/findings.ts';
import type { Run } from '../model/records.ts';
import { ALL_ACTIVE } from '../model/selection.ts';
import { ownValue } from '../model/string-map.ts';
import type { Manager } from '../places/manager.ts';
import { appendAll } from '../util/append-all.ts';
import { type ErrorCode, MlferryError } from '../util/errors.ts';
import { type CopyWithin, copyVerified } from './copy-verified.ts';

/**
 * The plan of a move at a place that gives runs new ids: a copy of each, and the soft deletion of those whose copy was found to
 * be the same. Runs that cannot be replaced by a copy are failures, and stay with all above them. Throws UNSUPPORTED where a
 * copy cannot be all of a run, or a deletion is for good.
 */
export async function planCopies(
  location: string,
  manager: Manager,
  target: MoveTarget,
  options: MoveRunsOptions,
  ledger: Ledger,
): Promise<Plan> {
  manager.mustCopyWhole?.();
  await manager.mustDeleteSoftly?.();
  const named = new Set<string>();
  const { runs: chosen, ...moving } = await chooseMoving(manager, target, options, (run) => {
    const { tags, inputs } = runReferences(run);
    for (const id of [...[...tags.values()].flat(), ...inputs]) named.add(id);
  });
  const below = chosen.filter(
    ({ level, lifecycle_stage }) => level > 0 && lifecycle_stage === 'deleted',
  ).length;
  const active = chosen.filter(({ lifecycle_stage }) => lifecycle_stage === 'active');
  const problems = new Map([...deletedOnes(chosen), ...(await registeredOnes(manager, active))]);
  const movable = withoutProblems(active, problems, moving.parents, ledger);
  const held = [...named].filter((id) => !movable.some(({ run_id }) => run_id === id));
  const runs = movable.map(
    ({ run_id, experiment_id, run_name, level }): RunChange => ({
      ...{ run_id, experiment_id, run_name, level },
      copied_to: target.name,
      before: { lifecycle_stage: 'active' },
      after: { lifecycle_stage: 'deleted' },
    }),
  );
  const notes = [
    'a server cannot move a run: each is copied under a new id, with its logged models and traces, compared, and then the original is deleted; originals of models and traces stay',
    ...stillRunning(movable),
    ...(below > 0 ? [`${below} deleted runs below them stay where they are`] : []),
  ];
  return {
    ...NO_PLAN,
    ...moving,
    runs,
    descendants: runs.filter(({ level }) => level > 0).length,
    notes: runs.length === 0 ? [] : notes,
    target,
    async prepare(job, outcome) {
      const experiment_id = target.experiment_id ?? (await manager.createExperiment(target.name));
      await reviveCopies(manager, experiment_id, new Set(runs.map(({ run_id }) => run_id)));
      const before = await readRuns(manager.reader, runs);
      const { bad, losses } = await copyAll({
        ...bothSides(options),
        signal: job.signal,
        runs: runs.map(({ run_id }) => run_id),
        into: target.name,
        held,
        onCopied: job.progress,
      });
      appendAll(outcome.losses, losses);
      const after = await readRuns(manager.reader, runs);
      for (const { run_id } of runs) {
        const [then, now] = [before, after].map((all) => all.get(run_id)).map((run) => run && runDigest(run));
        if (!bad.has(run_id) && (now === undefined || now !== then)) bad.set(run_id, CHANGED);
      }
      const failed = job.findings;
      const ready = withoutProblems(runs, bad, moving.parents, failed);
      outcome.failed += runs.length - ready.length;
      return ready;
    },
  };

  /** Copies the runs; gives those whose copy was not found to be the same, and why, and what is lost of form. */
  async function copyAll(
    wanted: CopyWithin,
  ): Promise<{ bad: Map<string, Problem>; losses: readonly Loss[] }> {
    const { same, problems: found, objectProblems, losses } = await copyVerified(location, wanted);
    const bad = new Map<string, Problem>();
    const ids = new Set(wanted.runs);
    for (const run_id of ids)
      if (!same.has(run_id))
        bad.set(run_id, { code: 'MISMATCH', message: found.get(run_id) ?? 'Its copy could not be compared' });
    if (objectProblems.length === 0) return { bad, losses };
    const experiments = [...new Set(runs.map(({ experiment_id }) => experiment_id))];
    const owners = new Map<string, readonly string[]>();
    for await (const { of, id, runs: own } of objectsNamingRuns(manager.reader, experiments, ids, () => true))
      owners.set(`${of.kind} ${id}`, own);
    // What nobody knows the run of may be any run's.
    for (const { of, problem } of objectProblems)
      for (const run_id of owners.get(`${of.kind} ${of.id}`) ?? ids)
        bad.set(run_id, { code: 'MISMATCH', message: `${of.kind} ${of.id}: ${problem}` });
    return { bad, losses };
  }
}

/** Why a run stays as it is. */
interface Problem {
  readonly code: ErrorCode;
  readonly message: string;
  readonly hint?: string;
}

const CHANGED: Problem = {
  code: 'MISMATCH',
  message: 'It was changed while it was copied',
  hint: 'Run the same command again: its copy is brought up to date first.',
};

function deletedOnes(chosen: readonly MovingChoice[]): Array<readonly [string, Problem]> {
  return chosen.flatMap(({ run_id, level, lifecycle_stage }) =>
    lifecycle_stage === 'active' || level > 0
      ? []
      : [
          [
            run_id,
            { code: 'REFUSED', message: 'It is deleted', hint: 'Restore it first: mlferry runs restore.' },
          ] as const,
        ],
  );
}

/** Runs that a registered model's version was made of: it would go on naming the original, and lose its files with it. */
async function registeredOnes(
  manager: Manager,
  runs: readonly MovingChoice[],
): Promise<Array<readonly [string, Problem]>> {
  const experiments = [...new Set(runs.map(({ experiment_id }) => experiment_id))];
  const ids = new Set(runs.map(({ run_id }) => run_id));
  const found: Array<readonly [string, Problem]> = [];
  if (ids.size === 0) return found;
  for await (const { of, id, runs: own } of objectsMadeOfRuns(manager.reader, experiments, ids)) {
    const message = `${of.words.one} ${id} was made of it, and no server lets that name another run`;
    const hint = 'mlferry copy --into copies such a run and leaves the original.';
    for (const run_id of own) found.push([run_id, { code: 'REFUSED', message, hint }]);
  }
  return found;
}

/** Lists the runs with problems, and those above them, as failures; the others are left. */
function withoutProblems<T extends Pick<RunChange, 'run_id' | 'run_name'>>(
  runs: readonly T[],
  problems: ReadonlyMap<string, Problem>,
  parents: ReadonlyMap<string, string>,
  findings: Findings,
): T[] {
  const back = new Set<string>();
  for (const run_id of problems.keys()) holdAncestorsBack(run_id, parents, back);
  const above: Problem = { code: 'INCOMPLETE', message: 'Left as it is, because a run below it failed' };
  return runs.filter(({ run_id, run_name }) => {
    const problem = problems.get(run_id) ?? (back.has(run_id) ? above : undefined);
    if (problem === undefined) return true;
    const { code, message, hint } = problem;
    const error = new MlferryError(code, message, hint === undefined ? {} : { hint });
    findings.failure(failureOf({ kind: 'run', id: run_id, name: run_name }, error));
    return false;
  });
}

/** Copies that an undone move has deleted are taken up again: one of a run, if it has none. */
async function reviveCopies(
  manager: Manager,
  experiment_id: string,
  runs: ReadonlySet<string>,
): Promise<void> {
  const copies = async (view: 'deleted' | 'active') => {
    const selection = { ...ALL_ACTIVE, experiments: [experiment_id], view };
    const found: Array<readonly [source_id: string, run: Run]> = [];
    for await (const experiment of manager.reader.experiments(selection)) {
      if (experiment.experiment_id !== experiment_id) continue;
      for await (const { run } of manager.reader.runs(experiment, selection)) {
        const source_id = originRunId(ownValue(run.tags, ORIGIN_TAG) ?? '');
        if (runs.has(source_id) && !Object.hasOwn(run.tags, DUPLICATE_COPY_TAG)) found.push([source_id, run]);
      }
    }
    return found;
  };
  const isComplete = ({ tags }: Run) => Boolean(ownValue(tags, DIGEST_TAG));
  const deleted = new Map<string, Run>();
  for (const [source_id, run] of await copies('deleted')) {
    const other = deleted.get(source_id);
    if (other === undefined || (isComplete(run) && !isComplete(other))) deleted.set(source_id, run);
  }
  if (deleted.size === 0) return;
  for (const [source_id] of await copies('active')) deleted.delete(source_id);
  for (const run of deleted.values()) await manager.restoreRun(run);
}

/** The options of the one place for both sides of a copy within it: with its own credentials, whose names say `TO`. */
function bothSides({
  tls,
  environment = process.env,
  ...options
}: MoveRunsOptions): Omit<CopyWithin, 'runs' | 'into' | 'held'> {
  const own = Object.entries(environment).filter(([name]) => !name.startsWith('MLFERRY_FROM_'));
  const from = own.flatMap(([name, value]) =>
    name.startsWith('MLFERRY_TO_') ? [[name.replace('MLFERRY_TO_', 'MLFERRY_FROM_'), value] as const] : [],
  );
  const { concurrency, tempDir, stateDir, maxRequestsPerSecond, bandwidth } = options;
  return {
    ...{ concurrency, tempDir, stateDir, maxRequestsPerSecond, bandwidth },
    environment: Object.fromEntries([...own, ...from]),
    ...(tls === undefined ? {} : { tls: { from: tls, to: tls } }),
  };
}
