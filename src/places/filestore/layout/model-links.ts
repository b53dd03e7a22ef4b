import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { z } from 'zod';
import { toInt64 } from '../../../model/int64.ts';
import type { ModelOutput } from '../../../model/records.ts';
import { MlferryError } from '../../../util/errors.ts';
import { listDirectories, META_FILE } from './layout.ts';
import { type MetaValue, readMetaYaml } from './meta-yaml.ts';
import { strictly, type Tolerate } from './tolerate.ts';

/**
 * Links of a run to logged models (MLflow 3): `<run>/inputs/<id>/meta.yaml` beside those of datasets, and
 * `<run>/outputs/<model_id>/meta.yaml`. MLflow writes the model's id as source and as destination.
 */

const outputFields = z.looseObject({ source_id: z.string().min(1), step: z.string().nullish() });

/** The models that a run made. What `tolerate` does not take of a damaged link is thrown: SOURCE_ITEM, or a system error. */
export async function readOutputs(runDir: string, tolerate: Tolerate = strictly): Promise<ModelOutput[]> {
  const outputs: ModelOutput[] = [];
  for (const name of await listDirectories(join(runDir, 'outputs'))) {
    const path = join(runDir, 'outputs', name, META_FILE);
    const output = await tolerate(path, () => readOutput(path, name));
    if (output !== undefined) outputs.push(output);
  }
  return outputs;
}

async function readOutput(path: string, model_id: string): Promise<ModelOutput> {
  const fields = outputFields.safeParse(await readMetaYaml(path)).data;
  const step = toInt64(fields?.step ?? '0');
  if (fields === undefined || step === undefined)
    throw new MlferryError('SOURCE_ITEM', `${path} is not what MLflow writes`);
  return { model_id, step };
}

/** File of a link to a model that a run read, relative to the run, and its content. */
export function inputLink(
  model_id: string,
  run_id: string,
): [path: string, meta: { [key: string]: MetaValue }] {
  const id = createHash('md5').update(model_id).update(run_id).digest('hex');
  return [
    join('inputs', id, META_FILE),
    {
      source_type: 'MODEL',
      source_id: model_id,
      destination_type: 'RUN',
      destination_id: model_id,
      tags: {},
    },
  ];
}

/** The same of a model that a run made. */
export function outputLink({
  model_id,
  step,
}: ModelOutput): [path: string, meta: { [key: string]: MetaValue }] {
  return [
    join('outputs', model_id, META_FILE),
    {
      source_type: 'RUN_OUTPUT',
      source_id: model_id,
      destination_type: 'MODEL_OUTPUT',
      destination_id: model_id,
      tags: {},
      step: BigInt(step),
    },
  ];
}
