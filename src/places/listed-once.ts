import type { ArtifactEntry, ArtifactOwner } from './artifact-owner.ts';

/** An owner whose place lists its files once, however often they are asked for. The list stays in memory. */
export function listedOnce<T extends ArtifactOwner>(owner: T): T {
  let listed: Promise<readonly ArtifactEntry[]> | undefined;
  return {
    ...owner,
    async *artifacts() {
      listed ??= listOf(owner);
      yield* await listed;
    },
  };
}

async function listOf(owner: ArtifactOwner): Promise<readonly ArtifactEntry[]> {
  const entries: ArtifactEntry[] = [];
  for await (const entry of owner.artifacts()) entries.push(entry);
  return entries;
}
