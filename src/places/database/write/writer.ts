import { dirname, resolve } from 'node:path';
import { describeObject, kindOf } from '../../../kinds/kinds.ts';
import { idOf } from '../../../kinds/marks.ts';
import { GONE_DIGEST } from '../../../model/canonical.ts';
import { isListed } from '../../../model/file-list.ts';
import { goesOn } from '../../../model/mlflow/statuses.ts';
import type { Run } from '../../../model/records.ts';
import { asMlferryError, MlferryError } from '../../../util/errors.ts';
import { fileFailure } from '../../file-failure.ts';
import type { ObjectWriter } from '../../objects.ts';
import type { PlaceInfo, RunReader, RunTarget, Writer, WrittenRun } from '../../place.ts';
import type { WriterOptions } from '../../place-options.ts';
import { placeStores } from '../../place-stores.ts';
import { artifactsRootOf } from '../../reading/artifacts-root.ts';
import { createPointStore } from '../../reading/point-store.ts';
import { openWritable } from '../connect/open-writable.ts';
import { readTables } from '../connect/tables.ts';
import { fingerprintOf } from '../fingerprint.ts';
import type { DatabaseLocation } from '../location.ts';
import { readExperiments } from '../read/experiments.ts';
import { artifactLocator } from '../read/locate-artifacts.ts';
import { objectSources } from '../read/objects.ts';
import { storeNotes } from '../read/store-notes.ts';
import { chosenWorkspace } from '../read/workspaces.ts';
import { DATABASE_TRAITS } from '../traits.ts';
import { artifactRoots } from './artifact-roots.ts';
import { initDatabase, isEmpty } from './init-database.ts';
import { createKnownRuns, type KnownRun } from './known-runs.ts';
import { databaseLimits } from './limits.ts';
import { locateCopies } from './locate-copies.ts';
import { objectWriters } from './objects.ts';
import { createReadBack } from './read-back.ts';
import { freeRunId, readRun, sameRun } from './run-ids.ts';
import { secondPass } from './second-pass.ts';
import type { Target } from './target.ts';
import { createTargetExperiments } from './target-experiments.ts';
import { createTransactions } from './transactions.ts';
import { mustBeWritable } from './writable.ts';
import { type RunJob, writeRun } from './write-run.ts';

/**
 * Opens MLflow's database for writing (schemas of 2.8 to 3.17), beside servers that run on it. Throws as the reader does, and
 * UNSUPPORTED for older schemas, CONFLICT when it is the source itself.
 */
export async function openDatabaseWriter(place: DatabaseLocation, options: WriterOptions): Promise<Writer> {
  const { source, sourceTraits, dryRun, findings, signal } = options;
  const info: PlaceInfo = { kind: 'database', location: place.name, fingerprint: fingerprintOf(place) };
  if (sourceTraits.ownFingerprint && source.fingerprint === info.fingerprint)
    throw new MlferryError('CONFLICT', `"${place.name}" is both source and target`);
  const target = await openTarget(place, options);
  const { database, transactions } = target;
  const known = createKnownRuns(target);
  const experiments = await readExperiments(target)
    .then((all) => createTargetExperiments(target, all))
    .catch(async (error: unknown) => {
      await database.close();
      throw error;
    });
  const readBack = createReadBack(target);

  const guard = async <T>(object: string, work: () => Promise<T>): Promise<T> => {
    try {
      return await work();
    } catch (error) {
      throw asMlferryError(error, 'BUG', object);
    }
  };

  const guardedObject =
    (write: ObjectWriter): ObjectWriter =>
    (source, copy) =>
      guard(describeObject({ kind: source.of.kind, id: idOf(source.of, source.record) }), () =>
        write(source, copy),
      );

  const nothingSent = (copy: KnownRun, outcome: 'unchanged' | 'left'): WrittenRun => ({
    ...{ run_id: copy.run_id, outcome, points: 0, artifacts: 0, bytes: 0 },
    ...(copy.origin_parent === undefined ? {} : { origin_parent: copy.origin_parent }),
  });

  /** What is said of a copy before it is looked at: somebody deleted it, or it is deleted with its experiment. */
  const stageOf = (copy: KnownRun, run: Run) => {
    const experiment = experiments.get(copy.experiment_id);
    const withExperiment = experiment.source.lifecycle_stage === 'deleted' && experiment.deleted;
    const isLeft =
      copy.lifecycle_stage === 'deleted' &&
      run.lifecycle_stage === 'active' &&
      copy.digest !== GONE_DIGEST &&
      !withExperiment;
    return { isLeft, isSame: copy.lifecycle_stage === run.lifecycle_stage || withExperiment };
  };

  const write = async (reader: RunReader, copy: RunTarget): Promise<WrittenRun> => {
    signal.throwIfAborted();
    const { run } = reader;
    const { experiment } = copy;
    const found = await known.find(copy.experiment.experiment_id, run.run_id);
    if (found !== undefined && stageOf(found, run).isLeft) return nothingSent(found, 'left');
    const note: RunJob['note'] = (loss) =>
      findings.loss({ ...loss, experiment_name: experiment.name, run_id: run.run_id });
    const words = `run ${run.run_id} of experiment "${experiment.name}"`;
    const fail: RunJob['fail'] = (path, error) =>
      findings.failure(fileFailure(path, error, { words, run_id: run.run_id }));
    const { experiment_id } = experiment;
    const foreign = found === undefined ? await sameRun(target, experiment_id, run) : undefined;
    const run_id = found?.run_id ?? foreign?.run_id ?? (await freeRunId(target, run.run_id, note));
    const present = foreign ?? (found && (await presentRun(found)));
    const { artifact_location } = experiments.get(experiment_id).record;
    const artifact_uri = present?.artifact_uri ?? `${artifact_location}/${run_id}/artifacts`;
    const isForeign = foreign !== undefined;
    const result = await writeRun({
      target,
      source: reader,
      copy,
      run_id,
      artifact_uri,
      present,
      isForeign,
      note,
      fail,
    });
    if (!dryRun && result.outcome !== 'unchanged')
      readBack.expect(run_id, {
        digest: result.incomplete === true ? undefined : copy.digest,
        points: result.points,
      });
    const parent = found?.origin_parent;
    return parent === undefined ? result : { ...result, origin_parent: parent };
  };

  const presentRun = async ({ experiment_id, run_id }: KnownRun) => {
    const run = await readRun(target, experiment_id, run_id);
    if (run === undefined) throw new MlferryError('NOT_FOUND', `The copy ${run_id} is no longer there`);
    return run;
  };

  return {
    info,
    traits: DATABASE_TRAITS,
    experiment: (experiment, name) => guard(`experiment "${name}"`, () => experiments.open(experiment, name)),
    isCurrent: (run, { experiment_id }, digest, toldFiles) =>
      guard(`run ${run.run_id}`, async () => {
        const copy = await known.find(experiment_id, run.run_id);
        if (copy === undefined) return undefined;
        const { isLeft, isSame } = stageOf(copy, run);
        if (isLeft) return nothingSent(copy, 'left');
        // A run that still goes on may have points and files that its digest does not tell of.
        if (goesOn(run)) return undefined;
        const { status, end_time } = copy;
        const isCurrent =
          copy.digest === digest && status === run.status && end_time === run.end_time && isSame;
        if (!isCurrent || (toldFiles !== undefined && !isListed(await toldFiles(), copy.files)))
          return undefined;
        return nothingSent(copy, 'unchanged');
      }),
    run: (reader, copy) => guard(`run ${reader.run.run_id}`, () => write(reader, copy)),
    objects: new Map(
      [...objectWriters(target, experiments)].map(([kind, write]) => [kind, guardedObject(write)]),
    ),
    madeAnew: new Map([...objectSources(target)].filter(([kind]) => kindOf(kind).madeAnew === true)),
    findRuns: (ids) =>
      guard(place.name, async () => {
        const own = await readExperiments(target);
        return known.anywhere(ids, new Set(own.map(({ experiment_id }) => experiment_id)));
      }),
    secondPass: (pass) =>
      guard(place.name, async () => {
        if (!dryRun) await secondPass(target, experiments, pass);
      }),
    finish: () =>
      guard(place.name, async () => {
        if (!dryRun) {
          await experiments.openDefault();
          await locateCopies(target);
          await readBack.compare();
        }
        await target.stores.close();
        await database.close();
      }),
    async abort() {
      await transactions.settled();
      await target.stores.close();
      await database.close();
    },
  };
}

/** An empty database gets its tables where that is wanted; in a dry run they are gone when it is closed. */
async function initIfWanted(
  database: Target['database'],
  place: DatabaseLocation,
  { init = false, dryRun }: WriterOptions,
): Promise<void> {
  if (!(await isEmpty(database))) return;
  if (init) return initDatabase(database, !dryRun);
  throw new MlferryError('NOT_MLFLOW', `${place.name} is an empty database`, {
    hint: '--init makes MLflow’s tables in it, as does mlflow db upgrade.',
  });
}

async function openTarget(place: DatabaseLocation, options: WriterOptions): Promise<Target> {
  const database = await openWritable(place, options);
  try {
    await initIfWanted(database, place, options);
    const tables = await readTables(database, place.name);
    await mustBeWritable(database, place);
    const workspace = await chosenWorkspace({ database, tables }, place.workspace, place.name);
    const artifactsRoot = await artifactsRootOf(options);
    const base = place.dialect === 'sqlite' ? dirname(resolve(place.path)) : undefined;
    const { findings, sourceTraits, tempDir, dryRun, signal } = options;
    const budget = { free: 0 };
    const stores = placeStores(options);
    const store = {
      ...{ stores, database, tables, workspace, ...storeNotes(options) },
      locate: artifactLocator({ base, artifactsRoot, workspace, stores }),
      keepPoints: () => createPointStore(tempDir, budget),
    };
    const experiments = await readExperiments(store);
    return {
      ...store,
      transactions: createTransactions(database),
      limits: databaseLimits(store),
      roots: artifactRoots({ base, artifactsRoot, workspace, experiments }),
      ...{ findings, sourceTraits, tempDir, dryRun, signal },
    };
  } catch (error) {
    await database.close();
    throw error;
  }
}
