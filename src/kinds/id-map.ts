/** Source id → target id of the objects of one kind that are on the target. */
export type KindIds = Map<string, string>;

/** Source id → target id of every object that is known to be on the target, by kind. */
export interface IdMap {
  of(kind: string): KindIds;
}

/** An empty {@link IdMap}. */
export function createIdMap(): IdMap {
  const byKind = new Map<string, KindIds>();
  return {
    of(kind) {
      const ids = byKind.get(kind) ?? new Map<string, string>();
      byKind.set(kind, ids);
      return ids;
    },
  };
}

/** Gives the target ids that are known. */
export interface KnownIds {
  of(kind: string): Pick<ReadonlyMap<string, string>, 'get'>;
}

/** What remapping asks of an {@link IdMap}, and what a copy leaves. */
export interface Ids extends KnownIds {
  of(kind: string): ReadonlyMap<string, string>;
}
