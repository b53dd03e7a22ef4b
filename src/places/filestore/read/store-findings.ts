import type { Findings, FoundObject } from '../../../model/findings.ts';
import { MlferryError } from '../../../util/errors.ts';
import { asItemError } from './item-error.ts';
import type { RunLoss } from './read-run.ts';

/** Whose loss it is. */
export interface LossOwner {
  readonly experiment_name?: string;
  readonly run_id?: string;
  readonly of?: FoundObject;
}

/** Where the reading of a store puts what it finds, each thing once however often it is read. */
export interface StoreFindings {
  /** Runs `note` the first time that `key` is met. */
  once(key: string, note: () => void): void;
  note(losses: readonly RunLoss[], owner: LossOwner): void;
  /** An object that cannot be read. */
  fail(object: string, error: unknown, run_id?: string): void;
  /** Parts of an object that cannot be read; all else of it is carried. */
  damaged(object: string, damage: readonly string[], run_id?: string): void;
  hasFailed(object: string): boolean;
  /** What is broken in an object costs it whole. */
  readonly strict: boolean;
}

export function storeFindings(findings: Findings, strict: boolean): StoreFindings {
  const noted = new Set<string>();
  const once = (key: string, note: () => void) => {
    if (!noted.has(key)) note();
    noted.add(key);
  };
  const list = (key: string, object: string, { code, message, hint }: MlferryError, run_id?: string) => {
    const owner = run_id === undefined ? {} : { run_id };
    once(key, () => findings.failure({ code, object, ...owner, message, hint }));
  };
  return {
    strict,
    once,
    note(losses, owner) {
      const name = owner.of?.id ?? owner.run_id ?? owner.experiment_name;
      for (const loss of losses)
        once(`${name} ${loss.code} ${loss.key ?? ''} ${loss.detail}`, () =>
          findings.loss({ ...loss, ...owner }),
        );
    },
    fail: (object, error, run_id) => list(`failure ${object}`, object, asItemError(error, object), run_id),
    damaged(object, damage, run_id) {
      for (const message of damage)
        list(`damage ${object} ${message}`, object, new MlferryError('SOURCE_ITEM', message), run_id);
    },
    hasFailed: (object) => noted.has(`failure ${object}`),
  };
}
