import { createHash } from 'node:crypto';
import { toJson } from '../model/json.ts';
import { NOTE_TAG } from '../model/mlflow/tags.ts';
import type { Run } from '../model/records.ts';
import { type StringMap, sortKeys } from '../model/string-map.ts';
import { modelsIn } from './model-links.ts';
import { references } from './remap.ts';

/** What somebody on the target may change of a copied run, and its record shows. */
export type ChangeableParts = Pick<
  Run,
  'run_name' | 'status' | 'end_time' | 'params' | 'tags' | 'dataset_inputs' | 'latest_metrics'
>;

/**
 * sha256 (hex) of a copied run as it stands on its target: as long as it is the same, nobody has changed the copy. Left out is
 * what servers set by themselves, and tags that name other objects, which later passes of mlferry mend; of a latest point its
 * value, which servers choose differently among points of one moment.
 */
export function copyDigest({
  run_name,
  status,
  end_time,
  params,
  tags,
  dataset_inputs,
  latest_metrics,
}: ChangeableParts): string {
  const inputs = dataset_inputs.map(({ dataset: { name, digest } }) => toJson([name, digest]));
  const latest = Object.entries(latest_metrics).map(([key, [step, timestamp]]) =>
    toJson([key, String(step), String(timestamp)]),
  );
  const parts = [
    run_name,
    status,
    String(end_time ?? 0),
    sortKeys(params),
    sortKeys(own(tags)),
    [...new Set(inputs)].sort(),
    latest.sort(),
  ];
  return createHash('sha256').update(toJson(parts)).digest('hex');
}

/** Tags that people set. */
function own(tags: StringMap): StringMap {
  return Object.fromEntries(
    Object.entries(tags).filter(
      ([key, value]) =>
        (key === NOTE_TAG || !/^mlf(low|erry)\./.test(key)) &&
        references(key, value).length === 0 &&
        modelsIn(value).length === 0,
    ),
  );
}
