import { type Bandwidth, paced } from '../util/bandwidth.ts';
import type { ArtifactOwner } from './artifact-owner.ts';

/** An object whose files flow as the bandwidth lets them. */
export function withPacedFiles<T extends ArtifactOwner>(owner: T, bandwidth: Bandwidth | undefined): T {
  if (bandwidth === undefined) return owner;
  return {
    ...owner,
    async open(artifact) {
      const body = await owner.open(artifact);
      return body === undefined ? undefined : paced(body, bandwidth);
    },
  };
}
