import { chosenRuns } from '../manage/chosen-runs.ts';
import { PARENT_TAG } from '../model/mlflow/tags.ts';
import type { Run } from '../model/records.ts';
import { ownValue } from '../model/string-map.ts';
import type { Reader } from '../places/place.ts';

/** A run of a tree, and those right below it in the order of their start. */
export interface FamilyRun
  extends Pick<Run, 'run_id' | 'run_name' | 'status' | 'start_time' | 'lifecycle_stage'> {
  readonly children: readonly FamilyRun[];
}

/** What stands above and below a run. */
export interface Family {
  /** From the top down to the parent; a parent that is not there ends it. */
  readonly parents: readonly FamilyRun[];
  readonly children: readonly FamilyRun[];
}

/** Ids that may stand in a filter as they are. */
const PLAIN_ID = /^[\w-]+$/;
/** Deeper than anybody nests. */
const MOST_LEVELS = 100;

/**
 * The runs above and below a run by `mlflow.parentRunId`, deleted ones too. Its children are looked for in all experiments, those
 * below them in the experiments of the tree. A cycle ends where it comes back.
 */
export async function familyOf(reader: Reader, run: Run): Promise<Family> {
  const parents: FamilyRun[] = [];
  const above = new Set([run.run_id]);
  let parent = ownValue(run.tags, PARENT_TAG);
  while (parent !== undefined && !above.has(parent) && above.size < MOST_LEVELS) {
    above.add(parent);
    const [found] = await runsOf(reader, { runs: [parent] });
    if (found === undefined) break;
    parents.unshift(memberOf(found, []));
    parent = ownValue(found.tags, PARENT_TAG);
  }
  return { parents, children: await childrenOf(reader, run, above) };
}

async function childrenOf(reader: Reader, run: Run, above: ReadonlySet<string>): Promise<FamilyRun[]> {
  const seen = new Set(above);
  const byParent = new Map<string, Run[]>();
  const experiments = new Set([run.experiment_id]);
  let level: readonly string[] = [run.run_id];
  for (let depth = 0; level.length > 0 && depth < MOST_LEVELS; depth += 1) {
    const wanted = new Set(level);
    const filter = level.every((id) => PLAIN_ID.test(id))
      ? { filter: level.map((id) => `tags.\`${PARENT_TAG}\` = '${id}'`).join(' OR ') }
      : {};
    const found = await runsOf(reader, { ...filter, experiments: depth === 0 ? [] : [...experiments] });
    const next: string[] = [];
    for (const child of found) {
      const parent = ownValue(child.tags, PARENT_TAG) ?? '';
      if (!wanted.has(parent) || seen.has(child.run_id)) continue;
      seen.add(child.run_id);
      experiments.add(child.experiment_id);
      byParent.set(parent, [...(byParent.get(parent) ?? []), child]);
      next.push(child.run_id);
    }
    level = next;
  }
  const below = (id: string): FamilyRun[] =>
    (byParent.get(id) ?? [])
      .toSorted((a, b) => Number(a.start_time ?? 0) - Number(b.start_time ?? 0))
      .map((child) => memberOf(child, below(child.run_id)));
  return below(run.run_id);
}

async function runsOf(
  reader: Reader,
  selection: { readonly runs?: string[]; readonly experiments?: string[]; readonly filter?: string },
): Promise<Run[]> {
  const found: Run[] = [];
  const whole = { experiments: [], runs: [], view: 'all' as const, ...selection };
  for await (const { source } of chosenRuns(reader, whole)) found.push(source.run);
  return found;
}

function memberOf(
  { run_id, run_name, status, start_time, lifecycle_stage }: Run,
  children: readonly FamilyRun[],
): FamilyRun {
  return { run_id, run_name, status, start_time, lifecycle_stage, children };
}
