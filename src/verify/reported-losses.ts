import type { Loss, LossCode } from '../model/findings.ts';
import type { Difference } from './difference.ts';

/** Losses that only the copy itself knows of: what was on the target before it. */
const CODES: ReadonlySet<LossCode> = new Set([
  'VALUE_CONFLICT',
  'VALUE_NOT_ALLOWED',
  'END_TIME_KEPT',
  'LEFT_DELETED',
  'DATASET_DIFFERS',
  'ARTIFACTS_UNREACHABLE',
  'ARTIFACT_NAME',
]);

/** Whether a difference is one that a copy's losses tell of. */
export function reportedLosses(
  losses: readonly Loss[],
): (difference: Difference, owner: { experiment_name: string; run_id?: string }) => boolean {
  const reported = new Set(
    losses
      .filter(({ code }) => CODES.has(code))
      .map(({ code, key, run_id, experiment_name }) =>
        JSON.stringify([code, key ?? '', run_id ?? experiment_name ?? '']),
      ),
  );
  if (reported.size === 0) return () => false;
  return ({ field }, { experiment_name, run_id }) =>
    candidates(field).some(([code, key]) =>
      reported.has(JSON.stringify([code, key, run_id ?? experiment_name])),
    );
}

/** The losses that would explain a difference in this field: code and key. */
function candidates(field: string): Array<readonly [LossCode, string]> {
  const rest = (prefix: string) => field.slice(prefix.length);
  if (field.startsWith('params.')) return [['VALUE_CONFLICT', rest('params.')]];
  if (field.startsWith('tags.'))
    return [
      ['VALUE_CONFLICT', rest('tags.')],
      ['VALUE_NOT_ALLOWED', rest('tags.')],
    ];
  if (field.startsWith('dataset_inputs.')) {
    // A name may hold dots itself.
    const parts = rest('dataset_inputs.').split('.');
    return parts.map((_, at) => ['DATASET_DIFFERS', parts.slice(0, at + 1).join('.')] as const);
  }
  if (field.startsWith('artifacts ')) {
    return [
      ['ARTIFACTS_UNREACHABLE', ''],
      ['ARTIFACT_NAME', rest('artifacts ')],
    ];
  }
  if (field === 'lifecycle_stage') return [['LEFT_DELETED', '']];
  return [
    ['VALUE_CONFLICT', field],
    ['END_TIME_KEPT', field],
  ];
}
