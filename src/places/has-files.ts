import type { ArtifactOwner } from './artifact-owner.ts';

/** Whether a run, model or trace has any file. */
export async function hasFiles(owner: ArtifactOwner): Promise<boolean> {
  for await (const _ of owner.artifacts()) return true;
  return false;
}
