import type { ObjectKind } from '../kinds/kind.ts';
import { kindOf } from '../kinds/kinds.ts';
import type { Failure, Loss, LossCode } from '../model/findings.ts';
import type { PlaceInfo } from '../places/place.ts';
import { type ErrorCode, errorCodes, type MlferryError } from '../util/errors.ts';
import { redact } from '../util/redact.ts';
import type { Difference } from './difference.ts';

/** `=` same, `+` only in the source, `-` only in the target, `*` differs, `!` could not be read. */
export type VerdictSymbol = '=' | '+' | '-' | '*' | '!';

/** What became of one experiment or run. */
export interface VerifyItem {
  readonly symbol: VerdictSymbol;
  /** Its kind, as the table of kinds names it. */
  readonly kind: string;
  /** At the source; of a `-` at the target. */
  readonly id: string;
  readonly name: string;
  readonly experiment_name?: string;
  /** The copy's id. */
  readonly target_id?: string;
  /** The fields that differ, at most 100. */
  readonly differences: readonly Difference[];
  /** How many more fields differ. */
  readonly unlisted_differences?: number;
  /** Why: of `!` and `-`. */
  readonly reason?: string;
}

/** How many experiments or runs have each verdict. */
export interface Verdicts {
  same: number;
  only_in_source: number;
  only_in_target: number;
  different: number;
  unreadable: number;
}

/** The same of the objects of a further kind, and how many were not looked at because they are left out by wish. */
export interface ObjectVerdicts extends Verdicts {
  left_out?: number;
}

/** The result of a verification: what `--json` prints. Sizes are bytes, `seconds` wall time. */
export interface VerifyReport {
  readonly from: PlaceInfo;
  /** Absent when one place was checked by itself. */
  readonly to?: PlaceInfo;
  readonly quick: boolean;
  readonly experiments: Verdicts;
  /**
   * `others`: runs of the target that are no copies of this source's. `unselected`: copies of runs that the source has,
   * but the selection leaves out.
   */
  readonly runs: Verdicts & { others: number; unselected: number };
  /** Objects of the further kinds, by the key of the kind. */
  readonly objects?: Readonly<Record<string, ObjectVerdicts>>;
  /** What was read at the source. With `quick` neither points nor artifact bytes are. */
  readonly checked: { points: number; artifacts: number; artifact_bytes: number };
  /** What is not the same; with `all` everything. */
  readonly items: VerifyItem[];
  /** Losses that a copy to this target has: how many values, points or files, per code. */
  readonly loss_counts: Partial<Record<LossCode, number>>;
  readonly losses: readonly Loss[];
  /** How many items and losses are counted but not listed. */
  readonly unlisted: number;
  /** Why it stopped before its end, if it did. */
  readonly error?: { code: ErrorCode; message: string; hint: string };
  readonly seconds: number;
  readonly exit_status: number;
}

/** Items listed one by one; beyond it only the counts grow. */
const MOST_LISTED = 10_000;
const MOST_DIFFERENCES = 100;

/** Collects verdicts. */
export interface Verdictbook {
  readonly experiments: Verdicts;
  readonly runs: Verdicts & { others: number; unselected: number };
  /** Of the further kinds that came up, by the key of the kind. */
  readonly objects: ReadonlyMap<string, ObjectVerdicts>;
  readonly items: VerifyItem[];
  add(item: VerifyItem): void;
  /** Counts an object that is left out by wish. */
  leaveOut(of: ObjectKind): void;
  /** Something that could not be read and is neither a known experiment nor a known run. */
  failure(failure: Failure, side: string): void;
  unlisted(): number;
}

const NAMES = {
  '=': 'same',
  '+': 'only_in_source',
  '-': 'only_in_target',
  '*': 'different',
  '!': 'unreadable',
} as const;

const none = (): Verdicts => ({ same: 0, only_in_source: 0, only_in_target: 0, different: 0, unreadable: 0 });

/** An empty {@link Verdictbook}; with `all` it lists what is the same, too. */
export function createVerdictbook(all: boolean): Verdictbook {
  const experiments = none();
  const runs = { ...none(), others: 0, unselected: 0 };
  const objects = new Map<string, ObjectVerdicts>();
  const ofObjects = ({ counted }: ObjectKind): ObjectVerdicts => {
    const own = objects.get(counted) ?? none();
    objects.set(counted, own);
    return own;
  };
  const verdictsOf = (kind: string): Verdicts => {
    if (kind === 'experiment') return experiments;
    return kind === 'run' ? runs : ofObjects(kindOf(kind));
  };
  const items: VerifyItem[] = [];
  let unlisted = 0;
  const add = (item: VerifyItem) => {
    verdictsOf(item.kind)[NAMES[item.symbol]] += 1;
    if (item.symbol === '=' && !all) return;
    if (items.length >= MOST_LISTED) {
      unlisted += 1;
      return;
    }
    const { differences, reason } = item;
    items.push({
      ...item,
      differences: differences.slice(0, MOST_DIFFERENCES),
      ...(differences.length > MOST_DIFFERENCES
        ? { unlisted_differences: differences.length - MOST_DIFFERENCES }
        : {}),
      ...(reason === undefined ? {} : { reason: redact(reason) }),
    });
  };
  return {
    experiments,
    runs,
    objects,
    items,
    add,
    leaveOut(of) {
      const own = ofObjects(of);
      own.left_out = (own.left_out ?? 0) + 1;
    },
    failure({ object, of, message, code }, side) {
      add({
        symbol: '!',
        kind: of?.kind ?? (object.startsWith('experiment') ? 'experiment' : 'run'),
        id: '',
        name: `${object} of the ${side}`,
        differences: [],
        reason: `${message} (${code})`,
      });
    },
    unlisted: () => unlisted,
  };
}

/** 4 when something differs, 3 when something stays behind or could not be read, 0 when all is the same; else the error's. */
export function verifyStatus(
  error: MlferryError | undefined,
  { experiments, runs, objects }: Pick<Verdictbook, 'experiments' | 'runs' | 'objects'>,
  leftBehind = 0,
): number {
  if (error !== undefined) return error.meaning.exit;
  const all = [experiments, runs, ...objects.values()];
  const sum = (name: keyof Verdicts) => all.reduce((total, verdicts) => total + verdicts[name], 0);
  if (sum('different') + sum('only_in_source') + sum('only_in_target') > 0) return errorCodes.DIFFERENT.exit;
  return sum('unreadable') + leftBehind > 0 ? errorCodes.INCOMPLETE.exit : 0;
}
