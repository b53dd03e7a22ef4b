import { createHash } from 'node:crypto';
import type { RunLoss } from '../../../model/fit-run.ts';
import type { LoggedModel } from '../../../model/logged-model.ts';
import { NOTE_TAG, PROMPT_TAG } from '../../../model/mlflow/tags.ts';
import { REGISTERED_DIRECTORY } from '../../../model/own-files.ts';
import type { ModelVersion } from '../../../model/registered-model.ts';
import { ownValue } from '../../../model/string-map.ts';
import { appendAll } from '../../../util/append-all.ts';
import { MlferryError } from '../../../util/errors.ts';
import type { ObjectReader, ObjectTarget } from '../../objects.ts';
import { modelOwner } from '../connect/owner.ts';
import { createOnce } from './create-once.ts';
import type { RunLookup } from './run-lookup.ts';
import { artifactLosses } from './run-losses.ts';
import { type SentCounts, sendArtifacts } from './send-artifacts.ts';
import type { TargetContext } from './target-context.ts';
import type { ExperimentState, TargetExperiments } from './target-experiments.ts';

/** The experiment of logged models that only hold files of model versions is called as the directory for such files. */
const EXPERIMENT = REGISTERED_DIRECTORY;
const NOTE =
  'Files of versions of registered models whose run was not copied. The versions name these logged models as their source.';

/** On such a logged model: of which version of which source it has the files. */
const FILES_OF_TAG = 'mlferry.files_of';

/** Makes a logged model that holds the files of a version, or completes the one that is there. */
export type VersionFilesHolder = (
  source: ObjectReader,
  wanted: ModelVersion,
  target: Pick<ObjectTarget, 'origin'>,
  losses: RunLoss[],
  sent: SentCounts,
) => Promise<LoggedModel>;

/**
 * Newest servers take a version's source on their own artifact proxy only below a run or logged model that is there. For a
 * version whose run is not, a logged model is made, in an experiment of its own.
 */
export function versionFilesHolder(
  context: TargetContext,
  experiments: TargetExperiments,
): VersionFilesHolder {
  const { routes } = context;
  let opened: Promise<ExperimentState> | undefined;
  return async (source, wanted, { origin }, losses, sent) => {
    opened ??= open();
    const experiment = await opened;
    const { experiment_id } = experiment;
    const key = createHash('sha256').update(origin).digest('hex');
    const find = async () => {
      for await (const model of routes.searchModels([experiment_id], `tags.\`${FILES_OF_TAG}\` = '${key}'`))
        if (ownValue(model.tags, FILES_OF_TAG) === key) return model;
      return undefined;
    };
    const create = () =>
      routes.createModel({
        experiment_id,
        name: nameFor(wanted),
        params: {},
        tags: { [FILES_OF_TAG]: key },
      });
    const model = (await find()) ?? (await createOnce(create, find, context));
    const owner = modelOwner(model);
    const sink = await context.sinkOf(experiment, owner);
    const files = await sendArtifacts(context, source, { owner, sink }, 'content', sent);
    appendAll(losses, artifactLosses(files));
    const [first] = files.failed;
    if (first !== undefined) throw first.error;
    if (sent.artifacts + files.there === 0) losses.push(NO_FILES_LOSS);
    if (model.status !== 'LOGGED_MODEL_READY')
      await routes.setModelStatus(model.model_id, 'LOGGED_MODEL_READY');
    return model;
  };

  async function open(): Promise<ExperimentState> {
    const { experiment_id } = await experiments.open(
      {
        kind: 'experiment',
        experiment_id: '',
        name: EXPERIMENT,
        artifact_location: '',
        lifecycle_stage: 'active',
        tags: { [NOTE_TAG]: NOTE },
      },
      EXPERIMENT,
    );
    return experiments.get(experiment_id);
  }
}

/** Whether a version names files that are nowhere on the target, at a source that newest servers take only where they are. */
export async function needsHolder(
  { routes }: TargetContext,
  version: ModelVersion,
  hasModel: (model_id: string) => boolean,
  runOf: RunLookup,
): Promise<boolean> {
  const { source, model_id, tags } = version;
  if (!routes.changes || ownValue(tags, PROMPT_TAG) === 'true') return false;
  if (!/^(runs:|mlflow-artifacts:|models:\/+m-|file:|\/)/.test(source)) return false;
  const [, id = model_id] = /^models:\/+(m-[\w-]+)/.exec(source) ?? [];
  if (id !== undefined && (hasModel(id) || (await isThere(routes.getModel(id))))) return false;
  return (await runOf(version)) === undefined;
}

async function isThere(answer: Promise<unknown>): Promise<boolean> {
  try {
    await answer;
    return true;
  } catch (error) {
    if (error instanceof MlferryError && error.code === 'NOT_FOUND') return false;
    throw error;
  }
}

const NO_FILES_LOSS: RunLoss = {
  code: 'ARTIFACT_MISSING',
  detail: 'its run is not copied, and the source gives no files of it: the version is there without them',
};

/** A name that MLflow takes for a logged model: without `/ : . % " '`. */
function nameFor({ name, version }: ModelVersion): string {
  return `${name.replace(/[^\p{L}\p{N}_ -]+/gu, '_').slice(0, 100)}-${version}`;
}
