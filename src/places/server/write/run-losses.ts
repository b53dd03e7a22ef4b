import type { RunLoss } from '../../../model/fit-run.ts';
import { REFUSED_METRICS_FILE } from '../../../model/own-files.ts';
import type { PointTally } from '../../writing/sift-points.ts';
import { RENAMED } from './artifact-names.ts';
import type { ArtifactsSent } from './send-artifacts.ts';
import type { TargetContext } from './target-context.ts';

/** Files that a loss names. */
const MOST_NAMED = 5;

/** What is reported where files go through the server's own route for single files. */
const UPLOADS_ONLY =
  'the artifact root on the target cannot be written from here, and the server itself takes no empty file and none of more than 10 MiB';

/** What the target could not take of a run's files. */
export function artifactLosses({ unreachable, refused, notCarried, renamed }: ArtifactsSent): RunLoss[] {
  const losses: RunLoss[] = [];
  if (unreachable > 0) {
    losses.push({
      code: 'ARTIFACTS_UNREACHABLE',
      count: unreachable + refused.length,
      detail:
        'the files of the run were not copied: its artifact root on the target cannot be written from here, nor does the server take uploads',
    });
  }
  if (refused.length > 0 && unreachable === 0) {
    const names = refused.toSorted().slice(0, MOST_NAMED).join(', ');
    losses.push({
      code: 'ARTIFACTS_UNREACHABLE',
      count: refused.length,
      detail: `${UPLOADS_ONLY}: left out are ${names}${refused.length > MOST_NAMED ? ', …' : ''}`,
    });
  }
  if (notCarried > 0) {
    losses.push({
      code: 'ARTIFACTS_NOT_CARRIED',
      count: notCarried,
      detail: 'the source tells of these files but does not hold their bytes',
    });
  }
  for (const path of renamed) {
    losses.push({
      code: 'ARTIFACT_NAME',
      key: path,
      detail: RENAMED,
    });
  }
  return losses;
}

/** What the target could not take of a run's points. Asks it, once, where that depends on its database. */
export async function pointLosses(
  context: TargetContext,
  run_id: string,
  tally: PointTally,
): Promise<RunLoss[]> {
  const losses: RunLoss[] = [];
  if (tally.duplicates > 0) {
    losses.push({
      code: 'DUPLICATE_POINTS',
      count: tally.duplicates,
      detail: 'points exactly equal to another one: the target keeps one of each',
    });
  }
  if (tally.negativeTimestamps > 0) {
    losses.push({
      code: 'TIMESTAMP_NOT_ALLOWED',
      count: tally.negativeTimestamps,
      detail: `points with a timestamp before 1970 are refused; they are in ${REFUSED_METRICS_FILE}`,
    });
  }
  for (const [key, count] of tally.refusedKeys) {
    losses.push({
      code: 'KEY_NOT_ALLOWED',
      key,
      count,
      detail: `the target takes no metric of this key; its points are in ${REFUSED_METRICS_FILE}`,
    });
  }
  if (tally.infinity !== undefined && !(await context.keeps('infinity', run_id, tally.infinity))) {
    losses.push({
      code: 'INFINITY_CLAMPED',
      count: tally.infinities,
      detail: 'the target stores ±Infinity as the largest double, ±1.7976931348623157e308',
    });
  }
  if (
    tally.negativeZero !== undefined &&
    !(await context.keeps('negative zero', run_id, tally.negativeZero))
  ) {
    losses.push({ code: 'NEGATIVE_ZERO', count: tally.negativeZeros, detail: 'the target stores -0 as 0' });
  }
  return losses;
}
