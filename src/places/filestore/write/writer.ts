import { readdir } from 'node:fs/promises';
import { basename, join, resolve } from 'node:path';
import { describeObject } from '../../../kinds/kinds.ts';
import { idOf } from '../../../kinds/marks.ts';
import { GONE_DIGEST } from '../../../model/canonical.ts';
import { isListed } from '../../../model/file-list.ts';
import { goesOn } from '../../../model/mlflow/statuses.ts';
import type { Run } from '../../../model/records.ts';
import { asMlferryError, isAbsent, MlferryError } from '../../../util/errors.ts';
import { fileFailure } from '../../file-failure.ts';
import type { ObjectWriter } from '../../objects.ts';
import type { PlaceInfo, TargetExperiment, Writer, WrittenRun } from '../../place.ts';
import type { WriterOptions } from '../../place-options.ts';
import { fileUri } from '../layout/file-uri.ts';
import { findStore, fingerprintOf, isDirectory, NEW_STORE, PARTIAL } from '../layout/layout.ts';
import { createStaging } from '../layout/staging.ts';
import type { FileStoreLocation } from '../location.ts';
import { FILESTORE_TRAITS } from '../traits.ts';
import { type Copy, growRun, readCopy } from './grow-run.ts';
import { writeNewRun } from './new-run.ts';
import type { RunJob, StoreContext } from './run-context.ts';
import { secondPass } from './second-pass.ts';
import { createTargetExperiments, isInTrash } from './target-experiments.ts';
import { createTargetRuns } from './target-runs.ts';
import { loggedModelWriter } from './write-logged-model.ts';
import { registryWriter } from './write-registry.ts';
import { traceWriter } from './write-trace.ts';

/**
 * Opens an `mlruns` directory (or the directory that contains one) for writing; one that is not there is made with the
 * first experiment. Artifacts are always put beside the run's `meta.yaml`, wherever the experiment keeps others. Throws
 * LOCATION when `place` is a directory of something else, CONFLICT when it is the source itself or another process of
 * mlferry writes to it.
 */
export async function openFileStoreWriter(place: FileStoreLocation, options: WriterOptions): Promise<Writer> {
  const { findings, dryRun, source, sourceTraits, signal } = options;
  const { root, isNew } = await storeToWrite(place.path);
  const info: PlaceInfo = { kind: 'filestore', location: place.path, fingerprint: await fingerprintOf(root) };
  if (sourceTraits.ownFingerprint && source.fingerprint === info.fingerprint) {
    throw new MlferryError('CONFLICT', `"${place.path}" is both source and target`);
  }
  const staging = createStaging(root, dryRun);
  try {
    await staging.open();
  } catch (error) {
    throw asMlferryError(error, 'BUG', place.path);
  }
  const runs = createTargetRuns(root);
  const context: StoreContext = { root, staging, runs, findings, sourceTraits };
  const experiments = createTargetExperiments(context, isNew);
  const registry = registryWriter(context);
  const guarded =
    (write: ObjectWriter): ObjectWriter =>
    (source, target) =>
      guard(describeObject({ kind: source.of.kind, id: idOf(source.of, source.record) }), () =>
        write(source, target),
      );
  const written = new Map<string, { run_id: string; experiment_id: string; digest: string | undefined }>();

  const guard = async <T>(object: string, work: () => Promise<T>): Promise<T> => {
    try {
      return await work();
    } catch (error) {
      throw asMlferryError(error, 'BUG', object);
    }
  };

  /** The copy of a source run in an experiment. */
  const findCopy = async (run: Run, { experiment_id }: TargetExperiment) => {
    const { directory, source: experiment } = experiments.get(experiment_id);
    const run_id = (await runs.copies(directory)).get(run.run_id);
    if (run_id === undefined) return undefined;
    const runDir = join(directory, run_id);
    const copy = await readCopy(runDir);
    const deletedInSecondPass = experiment.lifecycle_stage === 'deleted' && isInTrash(directory);
    const left =
      copy.meta.lifecycle_stage === 'deleted' &&
      run.lifecycle_stage === 'active' &&
      copy.digest !== GONE_DIGEST &&
      !deletedInSecondPass;
    return { run_id, runDir, copy, left, deletedInSecondPass };
  };

  const nothingSent = (
    run_id: string,
    outcome: 'unchanged' | 'left',
    { origin_parent }: Copy,
  ): WrittenRun => ({
    run_id,
    outcome,
    points: 0,
    artifacts: 0,
    bytes: 0,
    ...(origin_parent === undefined ? {} : { origin_parent }),
  });

  return {
    info,
    traits: FILESTORE_TRAITS,
    experiment: (experiment, name) => guard(`experiment "${name}"`, () => experiments.open(experiment, name)),
    isCurrent: (run, experiment, digest, toldFiles) =>
      guard(`run ${run.run_id}`, async () => {
        const found = await findCopy(run, experiment);
        if (found === undefined) return undefined;
        const { run_id, copy, left, deletedInSecondPass } = found;
        if (left) return nothingSent(run_id, 'left', copy);
        // A run that still goes on may have points and files that its digest does not tell of.
        if (goesOn(run)) return undefined;
        const { status, end_time, lifecycle_stage } = copy.meta;
        const sameStage = lifecycle_stage === run.lifecycle_stage || deletedInSecondPass;
        const current =
          copy.digest === digest && status === run.status && end_time === run.end_time && sameStage;
        if (!current || (toldFiles !== undefined && !isListed(await toldFiles(), copy.files)))
          return undefined;
        return nothingSent(run_id, 'unchanged', copy);
      }),
    run: (reader, target) =>
      guard(`run ${reader.run.run_id}`, async () => {
        signal.throwIfAborted();
        const { experiment } = target;
        const { directory: experimentDir, record } = experiments.get(experiment.experiment_id);
        const found = await findCopy(reader.run, experiment);
        if (found?.left === true) return nothingSent(found.run_id, 'left', found.copy);
        const source_id = reader.run.run_id;
        const run_id = found?.run_id ?? (await runs.takeId(source_id));
        const note: RunJob['note'] = (loss) =>
          findings.loss({ ...loss, experiment_name: experiment.name, run_id: source_id });
        if (found === undefined && run_id !== source_id) {
          note({
            code: 'RUN_ID_TAKEN',
            detail: `the store has another run of this id, or cannot hold it; the copy is ${run_id}`,
          });
        }
        const artifact_uri = `${fileUri(root)}/${record.experiment_id}/${run_id}/artifacts`;
        const words = `run ${source_id} of experiment "${experiment.name}"`;
        const fail: RunJob['fail'] = (path, error) =>
          findings.failure(fileFailure(path, error, { words, run_id: source_id }));
        const job: RunJob = {
          context,
          fail,
          source: reader,
          target,
          experimentDir,
          runDir: join(experimentDir, run_id),
          record: {
            ...target.remap({ run_id, artifact_uri }),
            run_id,
            experiment_id: experiment.experiment_id,
            artifact_uri,
          },
          note,
        };
        const remember = ({ incomplete }: WrittenRun) => {
          const digest = incomplete === true ? undefined : target.digest;
          written.set(run_id, { run_id, experiment_id: experiment.experiment_id, digest });
        };
        if (found !== undefined) {
          const result = await growRun(job, found.copy);
          if (result.outcome === 'updated') remember(result);
          return result;
        }
        try {
          const result = await writeNewRun(job);
          if (!dryRun) (await runs.copies(experimentDir)).set(source_id, run_id);
          remember(result);
          return result;
        } catch (error) {
          runs.releaseId(run_id);
          throw error;
        }
      }),
    objects: new Map([
      ['logged_model', guarded(loggedModelWriter(context, experiments))],
      ['trace', guarded(traceWriter(context, experiments))],
      ['registered_model', guarded(registry.models)],
      ['model_version', guarded(registry.versions)],
    ]),
    findRuns: (sourceRunIds) => guard(place.path, () => runs.find(sourceRunIds)),
    secondPass: (pass) =>
      guard(place.path, async () => {
        if (!dryRun) await secondPass(context, experiments, pass);
      }),
    finish: () =>
      guard(place.path, async () => {
        if (dryRun) return;
        await experiments.openDefault();
        for (const { run_id, experiment_id, digest } of written.values()) {
          const copy = await readCopy(join(experiments.get(experiment_id).directory, run_id)).catch(
            () => undefined,
          );
          const complete =
            copy?.meta.experiment_id === experiment_id && (digest === undefined || copy.digest === digest);
          if (complete && copy.meta.run_id === run_id) continue;
          const { message, hint } = new MlferryError('MISMATCH', 'The run is no longer what was written');
          findings.failure({ code: 'MISMATCH', object: `run ${run_id}`, message, hint });
        }
        await staging.close();
      }),
    abort: () => staging.close(),
  };
}

/** A file that somebody thought would be written, of a kind that mlferry does not write. */
const OTHER_FILE = /\.(?:zip|7z|rar|json|csv|parquet|gz|bz2|xz|zst|db|sqlite|txt|html|ya?ml)$/i;

/** A directory is made only where the path looks like one: a mistyped name must not become a store. */
function mustBeMeant(path: string): void {
  if (OTHER_FILE.test(path)) {
    throw new MlferryError('LOCATION', `"${path}" would become a directory, and has the name of a file`, {
      hint: 'Archives are .tar, .tar.gz or .tar.zst, streams .ndjson, .ndjson.gz or .ndjson.zst.',
    });
  }
  if (path.includes('/') || path.includes('\\') || basename(path) === 'mlruns') return;
  throw new MlferryError('LOCATION', `There is no "${path}"`, {
    hint: `If you mean a new directory, name it ./${path}; a server begins with http:// or https://, an archive ends with .tar.`,
  });
}

/** The store that a user means by a path, or the one to make there. */
async function storeToWrite(path: string): Promise<{ root: string; isNew: boolean }> {
  try {
    const found = await findStore(path);
    if (found !== undefined) {
      const unfinished = await readdir(join(found, PARTIAL)).catch((): string[] => []);
      return { root: found, isNew: unfinished.includes(NEW_STORE) };
    }
    const root = resolve(path);
    const names = await readdir(root).catch((error: unknown) => {
      if (isAbsent(error)) return [];
      throw error;
    });
    if (names.every((name) => name === PARTIAL)) {
      if (!(await isDirectory(root))) mustBeMeant(path);
      return { root, isNew: true };
    }
  } catch (error) {
    if (error instanceof MlferryError) throw error;
    const reason = error instanceof Error ? error.message : String(error);
    throw new MlferryError('LOCATION', `"${path}" cannot be read: ${reason}`, { cause: error });
  }
  throw new MlferryError('LOCATION', `"${path}" holds other files than an mlruns directory`, {
    hint: `Name a directory of its own, for example ${join(path, basename(path) === 'mlruns' ? 'new' : 'mlruns')}.`,
  });
}
