import { linkedModels, linksOf, type ModelLinks } from '../../../kinds/model-links.ts';
import type { Run } from '../../../model/records.ts';
import { MlferryError } from '../../../util/errors.ts';
import { createOnce } from './create-once.ts';
import type { TargetContext } from './target-context.ts';

/**
 * Links a run to the models that it read and made. Links that are there stay as they are: an output that is logged a
 * second time is refused by MLflow, an input is not. No listing tells all links, so they are read back at once. Throws
 * MISMATCH.
 */
export async function linkModels(context: TargetContext, run_id: string, links: ModelLinks): Promise<void> {
  const { routes } = context;
  if (!routes.changes) return;
  const { model_inputs, model_outputs } = links;
  if (model_outputs.length > 0) await logOutputs(context, run_id, model_outputs);
  if (model_inputs.length > 0) await routes.logModelInputs(run_id, model_inputs);
  const there = linksOf(await routes.getRun(run_id));
  const ids = new Set(linkedModels(there));
  const missing = linkedModels(links).find((model_id) => !ids.has(model_id));
  if (missing === undefined) return;
  throw new MlferryError(
    'MISMATCH',
    `The link of run ${run_id} to the logged model ${missing} was accepted, but is not there`,
  );
}

async function logOutputs(
  context: TargetContext,
  run_id: string,
  outputs: ModelLinks['model_outputs'],
): Promise<void> {
  const { routes } = context;
  const missing = async () => missingOutputs(await routes.getRun(run_id), outputs);
  let rest = outputs;
  const send = async () => {
    if (rest.length > 0) await routes.logOutputs(run_id, rest);
    return true;
  };
  try {
    await createOnce(
      send,
      async () => {
        rest = await missing();
        return rest.length === 0 ? true : undefined;
      },
      context,
    );
  } catch (error) {
    if (!(error instanceof MlferryError) || error.code !== 'REFUSED') throw error;
    rest = await missing();
    // All of them were missing: the refusal has another reason.
    if (rest.length === outputs.length) throw error;
    await send();
  }
}

function missingOutputs({ model_outputs = [] }: Run, wanted: ModelLinks['model_outputs']) {
  const there = new Set(model_outputs.map(({ model_id }) => model_id));
  return wanted.filter(({ model_id }) => !there.has(model_id));
}
