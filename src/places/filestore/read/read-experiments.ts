import { join } from 'node:path';
import { compareInt64, type Int64 } from '../../../model/int64.ts';
import type { Experiment } from '../../../model/records.ts';
import { MlferryError } from '../../../util/errors.ts';
import { type ExperimentDir, META_FILE } from '../layout/layout.ts';
import { toExperimentMeta } from '../layout/meta-records.ts';
import { readMetaYaml } from '../layout/meta-yaml.ts';
import { type RunLoss, readTexts } from './read-run.ts';

/** An experiment as its directory holds it, and what of it cannot be carried. */
export interface LoadedExperiment {
  readonly experiment: Experiment;
  readonly directory: string;
  readonly losses: readonly RunLoss[];
}

/** Reads an experiment. Throws SOURCE_ITEM when it is damaged, or a system error. */
export async function loadExperiment({ name, path, inTrash }: ExperimentDir): Promise<LoadedExperiment> {
  const file = join(path, META_FILE);
  const { creation_time, last_update_time, ...meta } = toExperimentMeta(await readMetaYaml(file), file);
  if (meta.experiment_id !== name) {
    throw new MlferryError(
      'SOURCE_ITEM',
      `${file} says experiment_id "${meta.experiment_id}", but the directory is "${name}"`,
    );
  }
  const losses: RunLoss[] = [];
  const tags = await readTexts(join(path, 'tags'), 'experiment tag', losses);
  return {
    experiment: {
      kind: 'experiment',
      ...meta,
      lifecycle_stage: inTrash ? 'deleted' : meta.lifecycle_stage,
      ...(creation_time === undefined ? {} : { creation_time }),
      ...(last_update_time === undefined ? {} : { last_update_time }),
      tags: Object.fromEntries(tags),
    },
    directory: path,
    losses,
  };
}

function compareIds(a: string, b: string): number {
  const numeric = /^\d{1,30}$/;
  if (numeric.test(a) && numeric.test(b)) {
    const order = BigInt(a) - BigInt(b);
    if (order !== 0n) return order < 0n ? -1 : 1;
  }
  return a < b ? -1 : a > b ? 1 : 0;
}

/** Order of times, an unknown one first. */
export function compareTimes(a: Int64 | null | undefined, b: Int64 | null | undefined): number {
  const left = a ?? undefined;
  const right = b ?? undefined;
  if (left === undefined || right === undefined)
    return Number(left !== undefined) - Number(right !== undefined);
  return compareInt64(left, right);
}

/** Order of experiments: creation, then id. */
export function compareExperiments(a: Experiment, b: Experiment): number {
  return compareTimes(a.creation_time, b.creation_time) || compareIds(a.experiment_id, b.experiment_id);
}
