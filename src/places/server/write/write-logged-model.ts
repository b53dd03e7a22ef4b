import { describeObject } from '../../../kinds/kinds.ts';
import { CREATION_TIME_TAG, DIGEST_TAG, ORIGIN_TAG, originRunId } from '../../../model/canonical.ts';
import { type Findings, type FoundObject, lacksFiles } from '../../../model/findings.ts';
import type { RunLoss } from '../../../model/fit-run.ts';
import { type LoggedModel, loggedModel } from '../../../model/logged-model.ts';
import { ownValue, type StringMap } from '../../../model/string-map.ts';
import { appendAll } from '../../../util/append-all.ts';
import { MlferryError } from '../../../util/errors.ts';
import { fileFailure } from '../../file-failure.ts';
import type { ObjectReader, ObjectTarget, ObjectWriter, WrittenObject } from '../../objects.ts';
import { modelOwner } from '../connect/owner.ts';
import { createOnce } from './create-once.ts';
import { fitLoggedModel, modelMetricKey } from './fit-logged-model.ts';
import { artifactLosses } from './run-losses.ts';
import { sendArtifacts } from './send-artifacts.ts';
import { sendModelMetrics } from './send-model-metrics.ts';
import type { TargetContext } from './target-context.ts';
import type { ExperimentState, TargetExperiments } from './target-experiments.ts';

/** The part of a target's model that is remembered. */
type KnownModel = Pick<LoggedModel, 'model_id' | 'status'> & { readonly digest: string | undefined };

/** Writes logged models to a server of MLflow 3. */
export interface LoggedModelWriter {
  readonly write: ObjectWriter;
  /** Whether this pass has seen a model of this id on the target. */
  has(model_id: string): boolean;
  /** Removes second copies that creates thought lost have made. To be called when all else is done. */
  finish(): Promise<void>;
}

/** MLflow's own client sends no more in one request. */
const PARAMS = 100;

/** See {@link LoggedModelWriter}. */
export function loggedModelWriter(context: TargetContext, experiments: TargetExperiments): LoggedModelWriter {
  const { routes } = context;
  const scans = new Map<string, Promise<Map<string, KnownModel>>>();
  /** Origin → experiment of models that may have been created twice. */
  const suspects = new Map<string, string>();
  const seen = new Set<string>();
  let created = 0;

  const copiesIn = (experiment_id: string) => {
    const known = scans.get(experiment_id) ?? scan(experiment_id);
    scans.set(experiment_id, known);
    return known;
  };

  async function scan(experiment_id: string): Promise<Map<string, KnownModel>> {
    const known = new Map<string, KnownModel>();
    if (!routes.changes && experiment_id.startsWith('new experiment')) return known;
    for await (const model of routes.searchModels([experiment_id])) {
      const origin = ownValue(model.tags, ORIGIN_TAG);
      if (origin === undefined) continue;
      const found = knownModel(model);
      const other = known.get(originRunId(origin));
      if (other?.digest === undefined) known.set(originRunId(origin), found);
      if (other !== undefined) suspects.set(origin, experiment_id);
    }
    return known;
  }

  const copiesOfOrigin = async (experiment_id: string, origin: string): Promise<LoggedModel[]> => {
    const found: LoggedModel[] = [];
    for await (const model of routes.searchModels([experiment_id], `tags.\`${ORIGIN_TAG}\` = '${origin}'`))
      if (ownValue(model.tags, ORIGIN_TAG) === origin) found.push(model);
    return found;
  };

  async function find(experiment: ExperimentState, id: string, { origin, inDoubt }: ObjectTarget) {
    const known = (await copiesIn(experiment.experiment_id)).get(id);
    if (inDoubt) suspects.set(origin, experiment.experiment_id);
    if (known !== undefined || !inDoubt) return known;
    const [late] = await copiesOfOrigin(experiment.experiment_id, origin);
    return late === undefined ? undefined : knownModel(late);
  }

  async function create(
    experiment: ExperimentState,
    wanted: LoggedModel,
    { origin }: ObjectTarget,
  ): Promise<LoggedModel> {
    const { experiment_id, artifact_location } = experiment;
    if (!routes.changes) {
      const model_id = `new model ${originRunId(origin)}`;
      const artifact_uri =
        artifact_location === '' ? wanted.artifact_uri : `${artifact_location}/models/${model_id}/artifacts`;
      return { ...wanted, model_id, artifact_uri, status: 'LOGGED_MODEL_PENDING' };
    }
    const { model: fitted } = fitLoggedModel(wanted);
    const { name, model_type, source_run_id } = fitted;
    await experiment.revive();
    created += 1;
    return createOnce(
      () =>
        routes.createModel({
          experiment_id,
          name,
          ...(model_type === undefined ? {} : { model_type }),
          ...(source_run_id === undefined ? {} : { source_run_id }),
          params: Object.fromEntries(Object.entries(fitted.params).slice(0, PARAMS)),
          tags: {
            ...fitted.tags,
            [ORIGIN_TAG]: origin,
            [CREATION_TIME_TAG]: String(fitted.creation_timestamp_ms),
          },
        }),
      async () => (await copiesOfOrigin(experiment_id, origin))[0],
      context,
      () => void suspects.set(origin, experiment_id),
    );
  }

  return {
    async write(source, target) {
      const draft = parse(target.remap({ id: 'new' }));
      const experiment = experiments.get(draft.experiment_id);
      const id = originRunId(target.origin);
      const known = await find(experiment, id, target);
      if (known !== undefined) seen.add(known.model_id);
      const complete = known?.digest === target.digest;
      if (complete && known.status === draft.status && draft.status !== 'LOGGED_MODEL_PENDING')
        return { id: known.model_id, outcome: 'unchanged', artifacts: 0, bytes: 0 };
      const present =
        known === undefined ? await create(experiment, draft, target) : await routes.getModel(known.model_id);
      (await copiesIn(experiment.experiment_id)).set(id, knownModel(present));
      seen.add(present.model_id);
      return writeModel(context, experiment, source, target, present, known === undefined);
    },
    has: (model_id) => seen.has(model_id),
    async finish() {
      if (created > 0) {
        context.findings.loss({
          code: 'MODEL_TIMES',
          count: created,
          detail: `a server sets the times of a logged model itself: when the source’s was created stands in its tag ${CREATION_TIME_TAG}`,
        });
      }
      for (const [origin, experiment_id] of suspects) {
        const kept = (await copiesIn(experiment_id)).get(originRunId(origin));
        for (const model of await copiesOfOrigin(experiment_id, origin))
          if (kept !== undefined && model.model_id !== kept.model_id)
            await removeSecondCopy(context, model, kept.model_id, originRunId(origin));
      }
    },
  };
}

const parse = (record: unknown) => loggedModel.parse(record);

function knownModel({ model_id, status, tags }: LoggedModel): KnownModel {
  return { model_id, status, digest: ownValue(tags, DIGEST_TAG) || undefined };
}

/** Writes a model, or completes the copy that is there: files, values, status, and the digest last. */
async function writeModel(
  context: TargetContext,
  experiment: ExperimentState,
  source: ObjectReader,
  target: ObjectTarget,
  present: LoggedModel,
  created: boolean,
): Promise<WrittenObject> {
  const { routes } = context;
  const { model_id, artifact_uri } = present;
  const id = originRunId(target.origin);
  const of: FoundObject = { kind: source.of.kind, id, name: present.name };
  const { model: wanted, losses } = fitLoggedModel(parse(target.remap({ id: model_id, artifact_uri })));
  const found: RunLoss[] = [...losses];
  const sent = { points: 0, artifacts: 0, bytes: 0 };
  const owner = modelOwner(present);
  const sink = await context.sinkOf(experiment, owner);
  const comparison = created ? 'nothing there' : 'content';
  const files = await sendArtifacts(context, source, { owner, sink }, comparison, sent);
  appendAll(found, artifactLosses(files));
  for (const { path, error } of files.failed)
    context.findings.failure(fileFailure(path, error, { words: describeObject(of), of }));

  for (const field of ['name', 'model_type', 'source_run_id'] as const) {
    if (present[field] === wanted[field]) continue;
    const detail = `the target has ${present[field] ?? 'none'}, which cannot be changed`;
    found.push({ code: 'VALUE_CONFLICT', key: field, detail });
  }
  await sendParams(context, present, wanted.params, found);
  const unsent = await sendModelMetrics(context, present, wanted.metrics);
  if (unsent > 0) {
    found.push({
      code: 'METRICS_NOT_CARRIED',
      count: unsent,
      detail:
        'the run that measured it has no such point (a NaN, or it was deleted): these values are left out',
    });
  }
  if (wanted.status !== present.status && wanted.status !== 'LOGGED_MODEL_STATUS_UNSPECIFIED')
    await routes.setModelStatus(model_id, wanted.status);
  // The digest says that the model is complete: it goes after all else is there.
  const all = [
    ...Object.entries(wanted.tags),
    [ORIGIN_TAG, target.origin],
    ...(files.failed.length > 0 || lacksFiles(found) ? [] : [[DIGEST_TAG, target.digest]]),
  ];
  const tags = all.filter(([key = '', value]) => ownValue(present.tags, key) !== value);
  if (tags.length > 0) await routes.setModelTags(model_id, Object.fromEntries(tags));
  if (routes.changes) mustBe(await routes.getModel(model_id), wanted, present, unsent);
  report(context.findings, experiment, of, found);
  const changed = tags.length + sent.artifacts > 0 || wanted.status !== present.status;
  return { id: model_id, outcome: created ? 'created' : changed ? 'updated' : 'unchanged', ...sent };
}

function report(findings: Findings, { name }: ExperimentState, of: FoundObject, losses: readonly RunLoss[]) {
  for (const loss of losses) findings.loss({ ...loss, of, experiment_name: name });
}

async function sendParams(
  { routes }: TargetContext,
  present: LoggedModel,
  wanted: StringMap,
  losses: RunLoss[],
): Promise<void> {
  const missing: Array<[string, string]> = [];
  for (const [key, value] of Object.entries(wanted)) {
    const there = ownValue(present.params, key);
    if (there === undefined) missing.push([key, value]);
    else if (there !== value)
      losses.push({
        code: 'VALUE_CONFLICT',
        key,
        detail: 'the target has another value, which cannot be changed',
      });
  }
  for (let at = 0; at < missing.length; at += PARAMS)
    await routes.logModelParams(present.model_id, Object.fromEntries(missing.slice(at, at + PARAMS)));
}

/** Reads the model back. Throws MISMATCH naming the first field that is not what was sent. */
function mustBe(found: LoggedModel, wanted: LoggedModel, before: LoggedModel, unsent: number): void {
  const wrong = (() => {
    if (wanted.status !== found.status && wanted.status !== 'LOGGED_MODEL_STATUS_UNSPECIFIED')
      return 'status';
    for (const [key, value] of Object.entries(wanted.tags))
      if (ownValue(found.tags, key) !== value) return `tag ${JSON.stringify(key)}`;
    for (const [key, value] of Object.entries({ ...wanted.params, ...before.params }))
      if (ownValue(found.params, key) !== value) return `param ${JSON.stringify(key)}`;
    const there = new Set(found.metrics.map(modelMetricKey));
    const missing = wanted.metrics.filter((metric) => !there.has(modelMetricKey(metric)));
    return missing.length > unsent ? `metric ${JSON.stringify(missing[0]?.key)}` : undefined;
  })();
  if (wrong === undefined) return;
  throw new MlferryError('MISMATCH', `Logged model ${found.model_id} differs from what was sent in ${wrong}`);
}

/** A second copy to which nothing was written but what its create did is deleted, as a server does: softly; another one is a MISMATCH. */
async function removeSecondCopy(
  { routes, findings }: TargetContext,
  model: LoggedModel,
  kept: string,
  id: string,
): Promise<void> {
  const of: FoundObject = { kind: model.kind, id, name: model.name };
  const isNew = model.status === 'LOGGED_MODEL_PENDING' && !Object.hasOwn(model.tags, DIGEST_TAG);
  const empty = isNew && model.metrics.length === 0;
  if (empty && (await routes.listArtifacts(modelOwner(model), '')).length === 0) {
    await routes.deleteModel(model.model_id);
    const detail = `a create whose answer was lost had made a second, empty copy, ${model.model_id}: it was deleted, ${kept} is the copy`;
    findings.loss({ code: 'TWIN_DELETED', of, detail });
    return;
  }
  const { code, hint } = new MlferryError('MISMATCH', '', {
    hint: `Delete logged model ${model.model_id} on the target if nobody needs it.`,
  });
  const message = `Logged models ${kept} and ${model.model_id} of the target are copies of the same one; only ${kept} is kept up to date`;
  findings.failure({ code, object: `logged model ${model.model_id}`, of, message, hint });
}
