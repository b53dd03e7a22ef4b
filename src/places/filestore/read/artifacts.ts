import type { ArtifactOwner } from '../../artifact-owner.ts';
import { filesAt } from '../../reading/files-at.ts';
import type { ArtifactLocator, StoreOwner } from './locate-artifacts.ts';
import type { RunLoss } from './read-run.ts';

/** What finds the files of a store's runs and models, and hears of roots that are not on this machine. */
export interface ArtifactFinder {
  readonly locate: ArtifactLocator;
  /** Once a root is enough: all that is below it is away. */
  onUnreachable(root: string): void;
}

/** The files of a run or logged model of a store; what of them is left out goes to `note`. */
export function storeArtifacts(
  { locate, onUnreachable }: ArtifactFinder,
  owner: StoreOwner,
  note: (loss: RunLoss) => void,
): ArtifactOwner {
  return filesAt(async () => {
    const { path, unreachable, away, store } = await locate(owner);
    if (store !== undefined) return { store };
    if (unreachable !== undefined) onUnreachable(unreachable);
    if (!away) return { path };
    const detail = `The artifacts are left out: ${path} is a symbolic link out of the store`;
    return { loss: { code: 'ARTIFACTS_NOT_CARRIED', detail } };
  }, note);
}
