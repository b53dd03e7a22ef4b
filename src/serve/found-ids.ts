/** Ids of searches that are remembered, all together. */
const MOST_IDS = 2_000_000;

/** What the latest searches found: the pages of one search need it judged and sorted once. */
export interface FoundIds {
  of(key: string, search: () => Promise<readonly string[]>): Promise<readonly string[]>;
}

/** Remembers the latest searches, as many as have not too many ids. */
export function createFoundIds(): FoundIds {
  const known = new Map<string, Promise<readonly string[]>>();
  const sizes = new Map<string, number>();
  const forget = (key: string) => {
    known.delete(key);
    sizes.delete(key);
  };
  const makeRoom = () => {
    let held = [...sizes.values()].reduce((sum, size) => sum + size, 0);
    for (const [key, size] of sizes) {
      if (held <= MOST_IDS && sizes.size <= 100) return;
      held -= size;
      forget(key);
    }
  };
  return {
    async of(key, search) {
      const found = known.get(key) ?? search();
      known.delete(key);
      known.set(key, found);
      try {
        const ids = await found;
        sizes.delete(key);
        sizes.set(key, ids.length + 1);
        makeRoom();
        return ids;
      } catch (error) {
        forget(key);
        throw error;
      }
    },
  };
}
