import { join } from 'node:path';
import { kindOf } from '../../../kinds/kinds.ts';
import type { FoundObject } from '../../../model/findings.ts';
import { compareInt64 } from '../../../model/int64.ts';
import {
  type LoggedModel,
  loggedModel,
  type ModelMetric,
  sortModelMetrics,
} from '../../../model/logged-model.ts';
import type { Experiment } from '../../../model/records.ts';
import { MlferryError } from '../../../util/errors.ts';
import type { ObjectReader, ObjectSource } from '../../place.ts';
import { listKeyFiles } from '../layout/key-paths.ts';
import { listDirectories, META_FILE } from '../layout/layout.ts';
import { toModelMeta } from '../layout/meta-records.ts';
import { readMetaYaml } from '../layout/meta-yaml.ts';
import { parseModelMetric } from '../layout/model-metric-lines.ts';
import { readTextFile } from '../layout/text-file.ts';
import { representModel } from '../write/fit-logged-model.ts';
import { type ArtifactFinder, storeArtifacts } from './artifacts.ts';
import { type RunLoss, readTexts } from './read-run.ts';

/** Whose loss it is. */
export interface LossOwner {
  readonly experiment_name?: string;
  readonly run_id?: string;
  readonly of?: FoundObject;
}

/** Where the reading of models puts what it finds. */
interface ModelFindings {
  note(loss: RunLoss, owner: LossOwner): void;
  fail(object: string, error: unknown): void;
}

/** The directory of an experiment's logged models. */
export const MODELS = 'models';

/** A model as its directory holds it. */
interface LoadedModel {
  readonly record: LoggedModel;
  readonly directory: string;
  readonly losses: readonly RunLoss[];
}

/** The logged models of a store. Deleted ones are left out: no place keeps them. */
export function loggedModels(
  finder: ArtifactFinder,
  directoryOf: (experiment: Experiment) => string,
  { note, fail }: ModelFindings,
): ObjectSource {
  const of = kindOf('logged_model');

  const reader = ({ record, directory, losses }: LoadedModel, { name }: Experiment): ObjectReader => {
    const owner = { experiment_name: name, of: { kind: of.kind, id: record.model_id, name: record.name } };
    for (const loss of losses) note(loss, owner);
    const { model_id: id, artifact_uri } = record;
    const files = storeArtifacts(finder, { id, directory, artifact_uri }, (loss) => note(loss, owner));
    return { of, record, ...files };
  };

  return {
    represent: (wanted, present) => representModel(loggedModel.parse(wanted), loggedModel.parse(present)),
    async *read({ experiments, selection }) {
      for (const experiment of experiments) {
        const models = join(directoryOf(experiment), MODELS);
        const loaded: LoadedModel[] = [];
        let deleted = 0;
        for (const name of await listDirectories(models)) {
          if (name.startsWith('.')) continue;
          try {
            const model = await loadModel(join(models, name), name, experiment);
            if (model === 'deleted') deleted += 1;
            else loaded.push(model);
          } catch (error) {
            fail(`logged model ${name} of experiment "${experiment.name}"`, error);
          }
        }
        if (deleted > 0 && selection.view !== 'active') {
          const detail = 'deleted logged models are left out: no server tells of them, and none takes one';
          note({ code: 'LOGGED_MODELS', count: deleted, detail }, { experiment_name: experiment.name });
        }
        for (const model of loaded.sort(byCreation)) yield reader(model, experiment);
      }
    },
  };
}

function byCreation({ record: a }: LoadedModel, { record: b }: LoadedModel): number {
  return compareInt64(a.creation_timestamp_ms, b.creation_timestamp_ms) || (a.model_id < b.model_id ? -1 : 1);
}

/** Reads a model's directory but its files. Throws SOURCE_ITEM when it is damaged, or a system error. */
async function loadModel(
  directory: string,
  name: string,
  { experiment_id }: Pick<Experiment, 'experiment_id'>,
): Promise<LoadedModel | 'deleted'> {
  const path = join(directory, META_FILE);
  const { deleted, ...meta } = toModelMeta(await readMetaYaml(path), path);
  if (deleted) return 'deleted';
  for (const [field, wanted] of [
    ['model_id', name],
    ['experiment_id', experiment_id],
  ] as const) {
    if (meta[field] !== wanted)
      throw new MlferryError('SOURCE_ITEM', `${path} says ${field} "${meta[field]}" and not "${wanted}"`);
  }
  const losses: RunLoss[] = [];
  const record: LoggedModel = {
    kind: 'logged_model',
    ...meta,
    params: Object.fromEntries(await readTexts(join(directory, 'params'), 'param', losses)),
    tags: Object.fromEntries(await readTexts(join(directory, 'tags'), 'tag', losses)),
    metrics: sortModelMetrics(await readModelMetrics(directory)),
  };
  return { record, directory, losses };
}

/** The values of a model's metric files. Throws SOURCE_ITEM for a line that is none. */
export async function readModelMetrics(directory: string): Promise<ModelMetric[]> {
  const metrics: ModelMetric[] = [];
  for (const { key, path, problem } of await listKeyFiles(join(directory, 'metrics'))) {
    const text = problem === undefined ? await readTextFile(path) : undefined;
    if (text === undefined)
      throw new MlferryError('SOURCE_ITEM', `${path} cannot be read: ${problem ?? 'it is not UTF-8'}`);
    for (const [index, line] of text.split('\n').entries()) {
      if (line === '') continue;
      const metric = parseModelMetric(key, line.replace(/\r$/, ''));
      if (metric === undefined)
        throw new MlferryError('SOURCE_ITEM', `${path}, line ${index + 1} is not what MLflow writes`);
      metrics.push(metric);
    }
  }
  return metrics;
}
