import { describeObject } from '../kinds/kinds.ts';
import type { Loss } from '../model/findings.ts';
import { plainText } from '../util/plain-text.ts';

/** One loss for people: whose it is, and what became of it. */
export function lossText({ experiment_name, run_id, of, key, detail }: Loss): string {
  const where = [
    ...(experiment_name === undefined ? [] : [`experiment ${JSON.stringify(experiment_name)}`]),
    ...(run_id === undefined ? [] : [`run ${run_id}`]),
    ...(of === undefined ? [] : [describeObject(of)]),
    ...(key === undefined ? [] : [JSON.stringify(key)]),
  ].join(' ');
  return plainText(where === '' ? detail : `${where}: ${detail}`);
}
