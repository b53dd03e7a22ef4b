import type { RunLoss } from '../../model/fit-run.ts';
import { allowedText, fits, isKeyAllowed, prefix, type TargetLimits } from '../../model/mlflow/limits.ts';
import type { StringMap } from '../../model/string-map.ts';
import type { FittedTags } from '../representation.ts';

/**
 * An experiment's tags as a server or its database takes them. `experiments/create` of the newest MLflow checks them, too (3.17.2; 3.6.0 and
 * older do not), and refuses the whole experiment.
 */
export function fitExperimentTags(tags: StringMap, limits: TargetLimits): FittedTags {
  const losses: RunLoss[] = [];
  const sent: Array<[string, string]> = [];
  for (const [key, value] of Object.entries(tags)) {
    if (!isKeyAllowed(key, limits)) {
      losses.push({
        code: 'KEY_NOT_ALLOWED',
        left_behind: true,
        key,
        detail: 'the target takes no experiment tag of this key; it is lost',
      });
      continue;
    }
    const allowed = allowedText(value, limits);
    if (!fits(allowed, limits.experimentTag)) {
      losses.push({
        code: 'EXPERIMENT_TAG_TOO_LONG',
        key,
        detail: `the experiment tag is longer than ${limits.experimentTag} characters and was shortened; the rest is lost, an experiment has no place to keep it`,
      });
    } else if (allowed !== value) {
      losses.push({
        code: 'VALUE_NOT_ALLOWED',
        key,
        detail: 'the experiment tag holds characters that the target cannot hold; they were replaced',
      });
    }
    sent.push([key, prefix(allowed, limits.experimentTag)]);
  }
  return { tags: Object.fromEntries(sent), losses };
}
