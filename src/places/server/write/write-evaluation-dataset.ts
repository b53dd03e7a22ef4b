import {
  CREATION_TIME_TAG,
  DIGEST_TAG,
  ORIGIN_TAG,
  originId,
  withoutBookkeeping,
} from '../../../model/canonical.ts';
import { type EvaluationDataset, evaluationDataset } from '../../../model/evaluation-dataset.ts';
import { ownValue } from '../../../model/string-map.ts';
import { MlferryError } from '../../../util/errors.ts';
import type { ObjectWriter } from '../../objects.ts';
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
      if (origin !== undefined && !found.has(originId(origin))) found.set(originId(origin), dataset);
    }
    return found;
  }

  return async (_source, { origin, digest, remap }) => {
    const source_id = originId(origin);
    const wanted = evaluationDataset.parse(remap({ id: source_id }));
    scanned ??= scan();
    const copies = await scanned;
    const there = copies.get(source_id);
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
        async () => (await scan()).get(source_id),
        context,
      ));
    copies.set(source_id, copy);
    const done = { id: copy.dataset_id, artifacts: 0, bytes: 0 };
    if (ownValue(copy.tags, DIGEST_TAG) === digest) return { ...done, outcome: 'unchanged' };
    const { experiment_ids: held } = await routes.evaluationDataset(copy.dataset_id);
    const missing = experiment_ids.filter((id) => !held.includes(id));
    if (missing.length > 0) await routes.addToExperiments(copy.dataset_id, missing);
    if (there !== undefined) await routes.setEvaluationDatasetTags(copy.dataset_id, tags);
    mustHold(await routes.evaluationDataset(copy.dataset_id), { name, experiment_ids, tags });
    await routes.setEvaluationDatasetTags(copy.dataset_id, { [DIGEST_TAG]: digest });
    return { ...done, outcome: there === undefined ? 'created' : 'updated' };
  };
}

/** Throws MISMATCH naming what reads back differently. */
function mustHold(
  found: EvaluationDataset,
  wanted: Pick<EvaluationDataset, 'name' | 'experiment_ids' | 'tags'>,
): void {
  const wrong = Object.entries(wanted.tags).find(([key, value]) => ownValue(found.tags, key) !== value)?.[0];
  const what =
    (wrong !== undefined && `tag ${wrong}`) ||
    (wanted.experiment_ids.some((id) => !found.experiment_ids.includes(id)) && 'its experiments');
  if (what === false) return;
  const name = JSON.stringify(wanted.name);
  throw new MlferryError(
    'MISMATCH',
    `Evaluation dataset ${name} was accepted, but reads back differently: ${what}`,
  );
}
