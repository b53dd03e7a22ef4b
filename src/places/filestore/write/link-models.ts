import { join } from 'node:path';
import { hasLinks, type ModelLinks } from '../../../kinds/model-links.ts';
import { readInputs } from '../layout/dataset-files.ts';
import { formatMetaYaml } from '../layout/meta-yaml.ts';
import { inputLink, outputLink, readOutputs } from '../layout/model-links.ts';
import type { Staging } from '../layout/staging.ts';

/** Links a run to the models that it read and made; links that are there stay as they are. */
export async function linkModels(
  staging: Staging,
  experimentDir: string,
  run_id: string,
  links: ModelLinks,
): Promise<void> {
  if (!hasLinks(links)) return;
  const runDir = join(experimentDir, run_id);
  const inputs = new Set((await readInputs(experimentDir, runDir)).models);
  const outputs = new Set((await readOutputs(runDir)).map(({ model_id }) => model_id));
  const files = [
    ...links.model_inputs
      .filter(({ model_id }) => !inputs.has(model_id))
      .map(({ model_id }) => inputLink(model_id, run_id)),
    ...links.model_outputs.filter(({ model_id }) => !outputs.has(model_id)).map(outputLink),
  ];
  for (const [path, meta] of files) await staging.replaceFile(join(runDir, path), formatMetaYaml(meta));
}
