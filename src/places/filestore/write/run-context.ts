import type { Findings } from '../../../model/findings.ts';
import { OVERSIZE_FILE } from '../../../model/own-files.ts';
import type { Run } from '../../../model/records.ts';
import type { StringMap } from '../../../model/string-map.ts';
import type { MlferryError } from '../../../util/errors.ts';
import type { ArtifactOwner } from '../../artifact-owner.ts';
import type { RunReader, RunTarget } from '../../place.ts';
import type { PlaceTraits } from '../../traits.ts';
import { createKeySpace } from '../layout/key-paths.ts';
import type { OversizeFile } from '../layout/oversize.ts';
import type { Staging } from '../layout/staging.ts';
import type { RunLoss } from '../read/read-run.ts';
import type { TargetRuns } from './target-runs.ts';

/** What all runs of a writer share. */
export interface StoreContext {
  readonly root: string;
  readonly staging: Staging;
  readonly runs: TargetRuns;
  readonly findings: Findings;
  readonly sourceTraits: PlaceTraits;
}

/** Files on their way into the directory of a run or model. */
export interface FilesJob {
  readonly context: StoreContext;
  readonly source: ArtifactOwner;
  note(loss: RunLoss): void;
  /** A file that could not be written: the others are. */
  fail(path: string, error: MlferryError): void;
}

/** A run on its way into an experiment's directory. */
export interface RunJob extends FilesJob {
  readonly source: RunReader;
  readonly target: RunTarget;
  readonly experimentDir: string;
  readonly runDir: string;
  /** The run in the target's ids. */
  readonly record: Run;
}

/** What of params or tags can stand in files, keys in code-unit order; the rest goes to `oversize` and is noted. */
export function holdable(
  kind: 'params' | 'tags',
  values: StringMap,
  present: readonly string[],
  job: Pick<RunJob, 'runDir' | 'note'>,
  oversize: OversizeFile,
): (readonly [string, string])[] {
  const what = kind === 'params' ? 'param' : 'tag';
  const problemOf = createKeySpace(`${job.runDir}/${kind}`, present);
  const sorted = Object.entries(values).sort(([a], [b]) => (a < b ? -1 : 1));
  return sorted.filter(([key, value]) => {
    const problem = value.isWellFormed() ? problemOf(key) : undefined;
    if (problem === undefined && value.isWellFormed()) return true;
    if (problem === undefined) {
      job.note({
        code: 'VALUE_NOT_ALLOWED',
        key,
        detail: `the ${what} holds half a character, which no file can; it is in ${OVERSIZE_FILE}`,
      });
    } else {
      job.note({
        code: 'KEY_NOT_ALLOWED',
        key,
        detail: `a store cannot hold a ${what} of this key: ${problem}; it is in ${OVERSIZE_FILE}`,
      });
    }
    oversize.value(kind, key, value);
    return false;
  });
}

/** `meta.yaml` text of a run's name or user, without half characters: those are noted, and the text kept in `oversize`. */
export function holdableName(
  field: 'run_name' | 'user_id',
  value: string,
  job: Pick<RunJob, 'note'>,
  oversize: OversizeFile,
): string {
  if (value.isWellFormed()) return value;
  job.note({
    code: 'VALUE_NOT_ALLOWED',
    key: field,
    detail: `the ${field} holds half a character, which was replaced; it is in ${OVERSIZE_FILE}`,
  });
  oversize.name(field, value);
  return value.toWellFormed();
}
