import type { CopyRules, TwoPlaceOptions } from '../job/job-options.ts';
import { placeOptions, withTempDir } from '../job/job-options.ts';
import { createLedger, failureOf } from '../job/ledger.ts';
import { copyDigest } from '../kinds/copy-digest.ts';
import type { Ids } from '../kinds/id-map.ts';
import { NO_PLAN, type Plan, type RunChange } from '../manage/changes.ts';
import { type ManageOptions, type ManageReport, manage } from '../manage/manage-job.ts';
import { readRuns } from '../manage/read-runs.ts';
import { COPY_TAG, DIGEST_TAG, GONE_DIGEST } from '../model/canonical.ts';
import type { Failure } from '../model/findings.ts';
import type { Selection } from '../model/selection.ts';
import { ownValue } from '../model/string-map.ts';
import type { Manager } from '../places/manager.ts';
import { openReader, selectionAt } from '../places/open.ts';
import type { Reader } from '../places/place.ts';
import { endsJob } from '../util/ends-job.ts';
import { asMlferryError, MlferryError } from '../util/errors.ts';
import { type Copy, copiesLeft, mirroredExperiments } from './copies-left.ts';
import { foundAtSource, mustBeReadWhole } from './found-at-source.ts';
import { keptBack } from './kept-back.ts';
import { objectsLeft } from './objects-left.ts';

/** What of which source is deleted. */
export interface DeleteGoneOptions
  extends Omit<TwoPlaceOptions, 'onProgress'>,
    CopyRules,
    Pick<ManageOptions, 'dryRun' | 'undoFile' | 'confirm' | 'onProgress'> {
  /** Of the source, as its copies have it in their origin. */
  readonly fingerprint: string;
  /** What the copy has just seen at the source, and where it is on the target. */
  readonly ids: Ids;
  /** What it could not copy. */
  readonly failures: readonly Failure[];
}

/** Kept runs that are named one by one. */
const MOST_NAMED = 20;

/**
 * Deletes copies softly of runs that the source no longer has, or has deleted. Each is looked for at the source by its id; unless
 * all of that could be read, nothing is deleted and the report has a failure. Copies that somebody changed, used for a registered
 * version, or has runs below, stay and are told.
 */
export function deleteGone(from: string, to: string, options: DeleteGoneOptions): Promise<ManageReport> {
  const { tls, ...shared } = options;
  return withTempDir(options.tempDir, (tempDir) =>
    manage(to, 'delete-runs', { ...shared, tls: tls?.to }, async (manager, ledger) => {
      const findings = createLedger();
      const source = await openReader(from, placeOptions(options, tempDir, findings, 'from'));
      try {
        return await planDeletion(source, findings, manager, selectionAt(from, options.selection), options);
      } catch (error) {
        const known = asMlferryError(error);
        if (endsJob(known)) throw known;
        ledger.failure(failureOf('--mirror', known, 'What the source no longer has'));
        return NO_PLAN;
      } finally {
        await source.close();
      }
    }),
  );
}

async function planDeletion(
  source: Reader,
  findings: ReturnType<typeof createLedger>,
  manager: Manager,
  selection: Selection,
  options: DeleteGoneOptions,
): Promise<Plan> {
  const { fingerprint, ids } = options;
  const experiments = await mirroredExperiments(source, manager.reader, selection, options);
  const { candidates, all } = await copiesLeft(manager.reader, experiments, fingerprint, ids.of('run'));
  const notes = await objectsLeft(manager.reader, experiments, selection, options);
  if (candidates.length === 0) return { ...NO_PLAN, notes };
  mustBeReadWhole(source, findings);
  const found = await foundAtSource(
    source,
    candidates.map(({ source_id }) => source_id),
  );
  mustBeReadWhole(source, findings);
  if (ids.of('run').size + found.size === 0)
    throw new MlferryError('REFUSED', 'The source has no run at all in these experiments', {
      hint: 'Nothing was deleted: mlferry runs delete does it, if you mean it.',
    });
  const gone = candidates.filter(({ source_id }) => found.get(source_id)?.lifecycle_stage !== 'active');
  if (gone.length > 0) await manager.mustDeleteSoftly?.();
  const kept = await keptBack(manager, gone, all, experiments);
  const parents = new Map(
    gone.flatMap(({ run, parent }) => (parent === undefined ? [] : [[run.run_id, parent] as const])),
  );
  const runs = gone
    .filter(({ run }) => !kept.has(run.run_id))
    .map((copy) =>
      deletionOf(copy, depthOf(copy.run.run_id, parents), found.get(copy.source_id)?.deleted_time),
    );
  return {
    ...NO_PLAN,
    runs,
    names: new Map(experiments.map(({ experiment_id, name }) => [experiment_id, name])),
    parents,
    notes: [...notes, ...keptNotes(gone, kept)],
    prepare: async (job, outcome) => {
      // Somebody may have changed one while the question was asked.
      const now = await readRuns(manager.reader, runs);
      return runs.filter(({ run_id, run_name }) => {
        const run = now.get(run_id);
        if (run !== undefined && copyDigest(run) === ownValue(run.tags, COPY_TAG)) return true;
        outcome.failed += 1;
        const error = new MlferryError('MISMATCH', 'It was changed meanwhile, and stays');
        job.findings.failure(failureOf({ kind: 'run', id: run_id, name: run_name }, error));
        return false;
      });
    },
  };
}

/** With that digest the copy comes back when the source has the run again: it is not one that somebody deleted. */
function deletionOf(
  { run, digest }: Copy,
  level: number,
  deleted_time: RunChange['before']['deleted_time'],
): RunChange {
  const { run_id, experiment_id, run_name } = run;
  const time = deleted_time === undefined ? {} : { deleted_time };
  // One that never was whole stays so.
  const tags = (value = '') => (digest === undefined ? {} : { tags: { [DIGEST_TAG]: value } });
  return {
    ...{ run_id, experiment_id, run_name, level },
    before: { lifecycle_stage: 'active', ...tags(digest) },
    after: { lifecycle_stage: 'deleted', ...time, ...tags(GONE_DIGEST) },
  };
}

/** How many runs are above one; a circle ends where it comes back. */
function depthOf(run_id: string, parents: ReadonlyMap<string, string>): number {
  const above = new Set([run_id]);
  for (let id = parents.get(run_id); id !== undefined && !above.has(id); id = parents.get(id)) above.add(id);
  return above.size - 1;
}

function keptNotes(gone: readonly Copy[], kept: ReadonlyMap<string, string>): string[] {
  const own = gone.filter(({ run }) => kept.has(run.run_id));
  const shown = own.slice(0, MOST_NAMED).map(({ run }) => {
    const name = run.run_name === '' ? '' : ` (${JSON.stringify(run.run_name)})`;
    return `run ${run.run_id}${name} stays: ${kept.get(run.run_id)}`;
  });
  return own.length > shown.length ? [...shown, `and ${own.length - shown.length} more stay`] : shown;
}
