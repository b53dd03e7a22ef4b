import { join } from 'node:path';
import { kindOf } from '../../../kinds/kinds.ts';
import { compareInt64 } from '../../../model/int64.ts';
import {
  type LoggedModel,
  loggedModel,
  type ModelMetric,
  sortModelMetrics,
} from '../../../model/logged-model.ts';
import type { Experiment } from '../../../model/records.ts';
import { MlferryError } from '../../../util/errors.ts';
import type { ObjectReader, ObjectSource } from '../../objects.ts';
import { listKeyFiles } from '../layout/key-paths.ts';
import { listDirectories, META_FILE } from '../layout/layout.ts';
import { toModelMeta } from '../layout/meta-records.ts';
import { readMetaYaml } from '../layout/meta-yaml.ts';
import { parseModelMetric } from '../layout/model-metric-lines.ts';
import { readKeyFile } from '../layout/text-file.ts';
import { representModel } from '../write/fit-logged-model.ts';
import { type ArtifactFinder, storeArtifacts } from './artifacts.ts';
import { createDamage, type Damage } from './damage.ts';
import { type RunLoss, readTexts } from './read-run.ts';
import type { StoreFindings } from './store-findings.ts';

/** The directory of an experiment's logged models. */
export const MODELS = 'models';

/** A model as its directory holds it. */
interface LoadedModel {
  readonly record: LoggedModel;
  readonly directory: string;
  readonly losses: readonly RunLoss[];
  readonly damage: readonly string[];
}

/** The logged models of a store. Deleted ones are left out: no place keeps them. */
export function loggedModels(
  finder: ArtifactFinder,
  directoryOf: (experiment: Experiment) => string,
  { note, fail, damaged, strict }: StoreFindings,
): ObjectSource {
  const of = kindOf('logged_model');

  const reader = ({ record, directory, losses, damage }: LoadedModel, { name }: Experiment): ObjectReader => {
    const owner = { experiment_name: name, of: { kind: of.kind, id: record.model_id, name: record.name } };
    note(losses, owner);
    damaged(objectOf(record.model_id, name), damage);
    const { model_id: id, artifact_uri } = record;
    const files = storeArtifacts(finder, { id, directory, artifact_uri }, (loss) => note([loss], owner));
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
            const model = await loadModel(join(models, name), name, experiment, createDamage(strict));
            if (model === 'deleted') deleted += 1;
            else loaded.push(model);
          } catch (error) {
            fail(objectOf(name, experiment.name), error);
          }
        }
        if (deleted > 0 && selection.view !== 'active') {
          const detail = 'deleted logged models are left out: no server tells of them, and none takes one';
          note([{ code: 'LOGGED_MODELS', count: deleted, detail }], { experiment_name: experiment.name });
        }
        for (const model of loaded.sort(byCreation)) yield reader(model, experiment);
      }
    },
  };
}

const objectOf = (model_id: string, experiment: string) =>
  `logged model ${model_id} of experiment "${experiment}"`;

function byCreation({ record: a }: LoadedModel, { record: b }: LoadedModel): number {
  return compareInt64(a.creation_timestamp_ms, b.creation_timestamp_ms) || (a.model_id < b.model_id ? -1 : 1);
}

/** Reads a model's directory but its files. Throws SOURCE_ITEM when it is damaged, or a system error. */
async function loadModel(
  directory: string,
  name: string,
  { experiment_id }: Pick<Experiment, 'experiment_id'>,
  damage: Damage,
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
    params: Object.fromEntries(await readTexts(join(directory, 'params'), 'param', losses, damage)),
    tags: Object.fromEntries(await readTexts(join(directory, 'tags'), 'tag', losses, damage)),
    metrics: sortModelMetrics(await readModelMetrics(directory, damage)),
  };
  return { record, directory, losses, damage: damage.told };
}

/** The values of a model's metric files. Throws SOURCE_ITEM for what `damage` does not take. */
export async function readModelMetrics(
  directory: string,
  damage: Damage = createDamage(true),
): Promise<ModelMetric[]> {
  const metrics: ModelMetric[] = [];
  for (const file of await listKeyFiles(join(directory, 'metrics'))) {
    const { key, path } = file;
    const text = await damage.tolerate(path, () => readKeyFile(file));
    if (text === undefined) continue;
    const broken = damage.lines(path);
    for (const [index, line] of text.split('\n').entries()) {
      if (line === '') continue;
      const metric = parseModelMetric(key, line.replace(/\r$/, ''));
      if (metric !== undefined) metrics.push(metric);
      else if (broken !== undefined) broken.note(index + 1);
      else throw new MlferryError('SOURCE_ITEM', `${path}, line ${index + 1} is not what MLflow writes`);
    }
    broken?.end();
  }
  return metrics;
}
