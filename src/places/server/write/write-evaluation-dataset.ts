import {
  CREATION_TIME_TAG,
  DIGEST_TAG,
  ORIGIN_TAG,
  originId,
  withoutBookkeeping,
} from '../../../model/canonical.ts';
import { type EvaluationDataset, evaluationDataset } from '../../../model/evaluation-dataset.ts';
import { ownValue } from '../../../model/string-map.ts';
import type { ObjectWriter } from '../../place.ts';
import { createOnce } from './create-once.ts';
import type { TargetContext } from './target-context.ts';

/**
 * Writes evaluation datasets, found again by their origin. `created` hears of each that is made: times are the server's.
 */
export function evaluationDatasetWriter(context: TargetContext, created: () => void): ObjectWriter {
  const { routes } = context;
  let scanned: Promise<Map<string, EvaluationDataset>> | undefined;

  async function scan(): Promise<Map<string, EvaluationDataset>> {
    const found = new Map<string, EvaluationDataset>();
    for await (const dataset of routes.evaluationDatasets()) {
      const origin = ownValue(dataset.tags, ORIGIN_TAG);
      if (origin !== undefined && !found.has(origin)) found.set(origin, dataset);
    }
    return found;
  }

  return async (_source, { origin, digest, remap }) => {
    const wanted = evaluationDataset.parse(remap({ id: originId(origin) }));
    scanned ??= scan();
    const copies = await scanned;
    const there = copies.get(origin);
    if (there === undefined) created();
    if (there === undefined && !routes.changes)
      return { id: wanted.dataset_id, outcome: 'created', artifacts: 0, bytes: 0 };
    const { name, experiment_ids } = wanted;
    const tags = {
      ...withoutBookkeeping(wanted.tags),
      [ORIGIN_TAG]: origin,
      [CREATION_TIME_TAG]: String(wanted.created_time),
    };
    const copy =
      there ??
      (await createOnce(
        () => routes.createEvaluationDataset({ name, experiment_ids, tags }),
        async () => (await scan()).get(origin),
        context,
      ));
    copies.set(origin, copy);
    const done = { id: copy.dataset_id, artifacts: 0, bytes: 0 };
    if (ownValue(copy.tags, DIGEST_TAG) === digest) return { ...done, outcome: 'unchanged' };
    const held = new Set(await routes.experimentsOfDataset(copy.dataset_id));
    const missing = experiment_ids.filter((id) => !held.has(id));
    if (missing.length > 0) await routes.addToExperiments(copy.dataset_id, missing);
    await routes.setEvaluationDatasetTags(copy.dataset_id, { ...tags, [DIGEST_TAG]: digest });
    return { ...done, outcome: there === undefined ? 'created' : 'updated' };
  };
}
