import { linkedModels, MODEL, type ModelLinks } from '../kinds/model-links.ts';
import { readRegistry } from '../manage/read-models.ts';
import { type LoggedModel, loggedModel } from '../model/logged-model.ts';
import { modelPaths } from '../model/mlflow/model-history.ts';
import { MODEL_HISTORY_TAG } from '../model/mlflow/tags.ts';
import type { Experiment, Run } from '../model/records.ts';
import type { ModelVersion } from '../model/registered-model.ts';
import { ALL_ACTIVE } from '../model/selection.ts';
import { ownValue } from '../model/string-map.ts';
import type { ObjectReader } from '../places/objects.ts';
import type { Reader } from '../places/place.ts';
import { WHOLE_REGISTRY } from '../places/selecting/registered-choice.ts';

/** A model that a run made or read: a logged model of MLflow 3, or a directory among the files of the run (MLflow 1 and 2). */
export interface ModelOfRun {
  readonly model_id: string;
  readonly role: 'made' | 'read';
  /** Of a logged model. */
  readonly name?: string | undefined;
  readonly model_type?: string | undefined;
  readonly status?: string | undefined;
  readonly step?: LoggedModelStep;
  /** Of one among the files: its directory. */
  readonly path?: string | undefined;
}
type LoggedModelStep = NonNullable<Run['model_outputs']>[number]['step'] | undefined;

/** A logged model at its place. */
export interface FoundModel {
  readonly record: LoggedModel;
  readonly source: ObjectReader;
}

/** Logged models of experiments, those that fit the filter. */
export async function* loggedModelsOf(
  reader: Reader,
  experiments: readonly Experiment[],
  model_filter?: string,
): AsyncGenerator<FoundModel> {
  const selection = {
    ...ALL_ACTIVE,
    view: 'all' as const,
    experiments: experiments.map(({ experiment_id }) => experiment_id),
    ...(model_filter === undefined ? {} : { model_filter }),
  };
  const scope = { selection, experiments, isChosen: () => true, isHeld: () => true };
  for await (const source of reader.objects?.get(MODEL)?.read(scope) ?? [])
    yield { record: loggedModel.parse(source.record), source };
}

/** The models that a run made and read, made ones first. */
export async function modelsOfRun(
  reader: Reader,
  experiment: Experiment,
  run: Run,
  links: ModelLinks,
): Promise<ModelOfRun[]> {
  const records = new Map<string, LoggedModel>();
  const linked = new Set(linkedModels(links));
  for await (const { record } of loggedModelsOf(reader, [experiment]))
    if (record.source_run_id === run.run_id || linked.has(record.model_id))
      records.set(record.model_id, record);
  const steps = new Map(links.model_outputs.map(({ model_id, step }) => [model_id, step]));
  const read = links.model_inputs.map(({ model_id }) => model_id);
  const made = new Set([
    ...steps.keys(),
    ...[...records.values()].flatMap((record) =>
      record.source_run_id === run.run_id ? record.model_id : [],
    ),
  ]);
  const of = (model_id: string, role: 'made' | 'read'): ModelOfRun => {
    const { name, model_type, status } = records.get(model_id) ?? {};
    return {
      model_id,
      role,
      name,
      model_type,
      status,
      ...(role === 'made' ? { step: steps.get(model_id) } : {}),
    };
  };
  const paths = [...modelPaths(ownValue(run.tags, MODEL_HISTORY_TAG) ?? '[]')];
  return [
    ...[...made].map((id) => of(id, 'made')),
    ...paths.flatMap(([model_id, path]) =>
      made.has(model_id) ? [] : [{ model_id, role: 'made' as const, path }],
    ),
    ...read.map((id) => of(id, 'read')),
  ];
}

/** The versions of registered models that were made of a run or of its models. */
export async function versionsOf(
  reader: Reader,
  { run_id, models }: { readonly run_id?: string; readonly models: readonly string[] },
): Promise<ModelVersion[]> {
  if (reader.objects === undefined) return [];
  const own = new Set(models);
  const registry = await readRegistry(reader, WHOLE_REGISTRY.selection);
  return [...registry.values()]
    .flatMap(({ versions }) => versions)
    .filter(
      (version) =>
        (run_id !== undefined && version.run_id === run_id) ||
        (version.model_id !== undefined && own.has(version.model_id)),
    );
}
