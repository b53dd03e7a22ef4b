import { describeObject } from '../kinds/kinds.ts';
import {
  type ArtifactWay,
  type Failure,
  type Findings,
  type FoundObject,
  isContent,
  type Loss,
  type LossCode,
} from '../model/findings.ts';
import { createLeftBehind, type LeftBehind } from '../model/left-behind.ts';
import { errorCodes, type MlferryError } from '../util/errors.ts';
import { plainText } from '../util/plain-text.ts';
import { redact } from '../util/redact.ts';

/** Losses and failures listed one by one; beyond it only the counts grow. */
const MOST_LISTED = 10_000;

/** Collects what readers and writers find. */
export interface Ledger extends Findings {
  readonly losses: Loss[];
  readonly failures: Failure[];
  readonly lossCounts: Map<LossCode, number>;
  readonly artifactWays: ArtifactWay[];
  unlisted(): number;
  failureCount(): number;
  /** How many values, points, files or objects stay behind; what was accepted is not counted. */
  leftBehind(): number;
  /** The same by code, with what was accepted, and what could not be read: for files, which tell it again. */
  listLeftBehind(): LeftBehind[];
  /** Does something of which nothing is noted: a look at what was not selected. */
  quietly<T>(task: () => Promise<T>): Promise<T>;
}

/** An empty {@link Ledger}. Messages are redacted on their way in. `accepted`: losses that leave the result complete. */
export function createLedger(accepted: readonly LossCode[] = []): Ledger {
  const losses: Loss[] = [];
  const failures: Failure[] = [];
  const lossCounts = new Map<LossCode, number>();
  const artifactWays: ArtifactWay[] = [];
  const lossesOf = new Map<string, number>();
  /** Failures, and losses that are nobody's own: what was at work just then may be the cause. */
  let ofNobody = 0;
  const behind = createLeftBehind();
  let unlisted = 0;
  let failed = 0;
  let left = 0;
  let isQuiet = false;
  return {
    losses,
    failures,
    lossCounts,
    artifactWays,
    artifactWay(way) {
      const { store, reason } = way;
      artifactWays.push({
        ...way,
        store: redact(store),
        ...(reason === undefined ? {} : { reason: plainText(redact(reason)) }),
      });
    },
    unlisted: () => unlisted,
    failureCount: () => failed,
    leftBehind: () => left,
    listLeftBehind: behind.all,
    noted: (id) => (lossesOf.get(id) ?? 0) + ofNobody,
    async quietly(task) {
      isQuiet = true;
      try {
        return await task();
      } finally {
        isQuiet = false;
      }
    },
    loss(loss) {
      if (isQuiet) return;
      const id = loss.of?.id ?? loss.run_id;
      if (id === undefined) ofNobody += 1;
      else lossesOf.set(id, (lossesOf.get(id) ?? 0) + 1);
      const shown = { ...loss, detail: plainText(redact(loss.detail)) };
      behind.loss(shown);
      if (isContent(loss) && !accepted.includes(loss.code)) left += loss.count ?? 1;
      lossCounts.set(loss.code, (lossCounts.get(loss.code) ?? 0) + (loss.count ?? 1));
      if (losses.length < MOST_LISTED) losses.push(shown);
      else unlisted += 1;
    },
    failure(failure) {
      if (isQuiet) return;
      failed += 1;
      ofNobody += 1;
      const shown = { ...failure, message: redact(failure.message) };
      behind.failure(shown);
      if (failures.length < MOST_LISTED) failures.push(shown);
      else unlisted += 1;
    },
  };
}

/** The failure of one object by an error. `object` names it, or says what it is where it is no single one; `words`: for people. */
export function failureOf(
  object: FoundObject | string,
  { code, message, hint }: MlferryError,
  words = typeof object === 'string' ? object : describeObject(object),
): Failure {
  return { code, object: words, ...(typeof object === 'string' ? {} : { of: object }), message, hint };
}

/** Exit status of a finished or stopped job: `incomplete` counts failures and what stays behind. */
export function exitStatus(error: MlferryError | undefined, incomplete: number): number {
  if (error !== undefined) return error.meaning.exit;
  return incomplete > 0 ? errorCodes.INCOMPLETE.exit : 0;
}
