import type { ChildRun, Manager } from '../places/manager.ts';

/** A run below a selected one. */
export interface Descendant extends ChildRun {
  /** 1 = child of a selected run. */
  readonly level: number;
}

/**
 * All descendants of the runs by `mlflow.parentRunId`, level by level, in any experiment and of any stage (below a deleted
 * run there may be active ones), each once: a cycle ends where it comes back.
 */
export async function descendantsOf(
  manager: Pick<Manager, 'children'>,
  selected: Iterable<string>,
): Promise<Descendant[]> {
  const seen = new Set(selected);
  const found: Descendant[] = [];
  let parents = [...seen];
  for (let level = 1; parents.length > 0; level += 1) {
    const children = (await manager.children(parents)).filter(({ run_id }) => !seen.has(run_id));
    parents = [];
    for (const child of children) {
      if (seen.has(child.run_id)) continue;
      seen.add(child.run_id);
      found.push({ ...child, level });
      parents.push(child.run_id);
    }
  }
  return found;
}
