import { PROMPT_EXPERIMENTS_TAG, PROMPT_RUNS_TAG } from '../model/mlflow/tags.ts';

/** Tags of MLflow whose values are lists of bare ids, and of which kind those are. */
const ID_LISTS: ReadonlyMap<string, string> = new Map([
  [PROMPT_RUNS_TAG, 'run'],
  [PROMPT_EXPERIMENTS_TAG, 'experiment'],
]);

/** The tags of an object with the ids in such lists replaced. */
export function remapIdLists(
  tags: Readonly<Record<string, string>>,
  targetId: (kind: string, id: string) => string,
): Readonly<Record<string, string>> {
  return Object.fromEntries(
    Object.entries(tags).map(([key, value]) => {
      const kind = ID_LISTS.get(key);
      return [key, kind === undefined ? value : value.replace(/[^,\s]+/g, (id) => targetId(kind, id))];
    }),
  );
}
