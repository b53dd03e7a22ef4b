import { copyDigest } from '../../kinds/copy-digest.ts';
import { COPY_TAG } from '../../model/canonical.ts';
import { isKeyAllowed, type TargetLimits } from '../../model/mlflow/limits.ts';
import type { Run } from '../../model/records.ts';
import { ownValue, type StringMap } from '../../model/string-map.ts';

/** The tag that tells how a run was written: fitted to the target, which keeps what it has of names, times and params. */
export function copyMark(fitted: Run, present: Run | undefined, limits: TargetLimits): StringMap {
  const latest = Object.entries(fitted.latest_metrics).filter(([key]) => isKeyAllowed(key, limits));
  const digest = copyDigest({
    ...fitted,
    run_name: fitted.run_name === '' ? (present?.run_name ?? '') : fitted.run_name,
    end_time: fitted.end_time ?? present?.end_time ?? null,
    params: keptParams(fitted.params, present),
    latest_metrics: Object.fromEntries(latest),
  });
  return { [COPY_TAG]: digest };
}

/** Params as the target has them: those that were there do not change. */
export function keptParams(params: StringMap, present: Run | undefined): StringMap {
  return Object.fromEntries(
    Object.entries(params).map(([key, value]) => [key, ownValue(present?.params ?? {}, key) ?? value]),
  );
}
