import type { ArtifactProxy } from '../../../artifacts/proxied.ts';
import { below, routes } from './routes.ts';
import type { TrackingClient } from './tracking-client.ts';

/** The artifact proxy of a server, for roots that it serves. */
export function artifactProxy({ base, upload }: TrackingClient): ArtifactProxy {
  return {
    host: base.host,
    url: `${base.href.replace(/\/+$/, '')}${routes.putProxiedArtifact.path}`,
    put: (path, size, open) => upload(below(routes.putProxiedArtifact, path), size, open),
  };
}
