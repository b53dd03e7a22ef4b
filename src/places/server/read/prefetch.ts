import pLimit from 'p-limit';
import type { Run } from '../../../model/records.ts';
import {
  createPointStore,
  type PointBudget,
  type PointSequence,
  type PointStore,
} from '../../reading/point-store.ts';
import type { TrackingClient } from '../connect/tracking-client.ts';
import { createBulkHistory, type KeyHistories } from './bulk-history.ts';

/** Histories that were announced and are fetched together. */
export interface Prefetch {
  /** Starts to fetch the histories of these runs (at most 100 for the best effect) in the order of their keys. */
  announce(runs: readonly Run[]): void;
  /** The history of a key of an announced run; `undefined` when it has to be read by itself. Throws what stops the job. */
  take(run_id: string, key: string): Promise<PointSequence | undefined>;
  /** Says that the run was read; its points are given back, so a second reading goes to the server. */
  release(run_id: string): void;
  close(): Promise<void>;
}

/** Keys whose histories are asked for at once. */
const PARALLEL = 4;

interface Group {
  readonly store: PointStore;
  readonly keys: ReadonlyMap<string, Promise<KeyHistories>>;
  /** Runs that were not read yet. */
  readonly open: Map<string, Run>;
}

/** The prefetch of one reader. What does not fit `budget` is spooled in `tempDir`; it never waits for its consumers. */
export function createPrefetch(client: TrackingClient, tempDir: string, budget: PointBudget): Prefetch {
  const bulk = createBulkHistory(client);
  const limit = pLimit(PARALLEL);
  const groups = new Map<string, Group>();
  const ending = new Set<Promise<void>>();
  let closed = false;

  function announce(runs: readonly Run[]): void {
    const fresh = runs.filter((run) => !groups.has(run.run_id) && Object.keys(run.latest_metrics).length > 0);
    if (fresh.length === 0) return;
    const byKey = new Map<string, Run[]>();
    for (const run of fresh) {
      for (const key of Object.keys(run.latest_metrics)) {
        const holders = byKey.get(key);
        if (holders === undefined) byKey.set(key, [run]);
        else holders.push(run);
      }
    }
    const store = createPointStore(tempDir, budget);
    const keys = new Map<string, Promise<KeyHistories>>();
    for (const [key, holders] of [...byKey].sort(([a], [b]) => (a < b ? -1 : 1))) {
      const histories = limit(async () =>
        closed ? new Map<never, never>() : bulk.read(key, holders, store),
      );
      // Whoever takes the key sees the error; nobody may ever ask for it.
      histories.catch(() => undefined);
      keys.set(key, histories);
    }
    const group: Group = { store, keys, open: new Map(fresh.map((run) => [run.run_id, run])) };
    for (const { run_id } of fresh) groups.set(run_id, group);
  }

  async function end(group: Group): Promise<void> {
    await Promise.allSettled(group.keys.values());
    await group.store.close();
  }

  function endLater(group: Group): void {
    const ended = end(group).finally(() => ending.delete(ended));
    // close() waits for it and sees its error.
    ended.catch(() => undefined);
    ending.add(ended);
  }

  async function forget(group: Group, run: Run): Promise<void> {
    for (const key of Object.keys(run.latest_metrics)) {
      const histories = await group.keys.get(key)?.catch(() => undefined);
      histories?.get(run.run_id)?.drop();
    }
  }

  function release(run_id: string): void {
    const group = groups.get(run_id);
    const run = group?.open.get(run_id);
    if (group === undefined || run === undefined) return;
    groups.delete(run_id);
    group.open.delete(run_id);
    if (group.open.size === 0) endLater(group);
    else void forget(group, run);
  }

  return {
    announce,
    take: async (run_id, key) => (await groups.get(run_id)?.keys.get(key))?.get(run_id),
    release,
    close: async () => {
      closed = true;
      for (const group of new Set(groups.values())) endLater(group);
      groups.clear();
      await Promise.all(ending);
    },
  };
}
