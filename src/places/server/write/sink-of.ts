import type { Readable } from 'node:stream';
import pLimit, { type LimitFunction } from 'p-limit';
import { isNormalized } from '../../../artifacts/artifact-path.ts';
import { openArtifactSink } from '../../../artifacts/open-sink.ts';
import type { ArtifactSink } from '../../../artifacts/sink.ts';
import { sizedBody } from '../../../artifacts/sized-body.ts';
import { isAlteredPath } from '../../../model/mlflow/altered-paths.ts';
import { MlferryError } from '../../../util/errors.ts';
import { artifactProxy } from '../connect/artifact-proxy.ts';
import { bytesOf } from '../connect/body.ts';
import { isMlflow } from '../connect/capabilities.ts';
import type { ServerOwner } from '../connect/owner.ts';
import type { TrackingClient } from '../connect/tracking-client.ts';

/** A file that tells whether the server sees what is written. */
export const PROBE = 'mlferry-probe';

/** Bytes that a server takes in one upload (mlflow/server/handlers.py, upload_artifact_handler). */
export const MOST_UPLOADED = 10 * 2 ** 20;

/** What is learnt of uploads to one root. */
export interface Uploads {
  /** A file is in memory while it is sent. */
  readonly limit: LimitFunction;
  /** Whether the server could store the first one. */
  work?: boolean;
}

/** Where the files of a run or model go: the way that needs the server least. `undefined`: nowhere. */
export async function sinkOf(
  client: TrackingClient,
  owner: ServerOwner,
  uploads: Uploads = { limit: pLimit(1) },
): Promise<ArtifactSink | undefined> {
  const ways = { proxy: artifactProxy(client), stores: client.stores };
  const sink = await openArtifactSink(owner.artifact_uri, owner.root_id ?? owner.id, ways);
  return sink ?? uploadSink(client, owner, uploads);
}

/** The sink of what neither the artifact proxy nor this machine can write to, but the server itself may. */
export function uploadSink(
  client: TrackingClient,
  { upload }: ServerOwner,
  uploads: Uploads,
): ArtifactSink | undefined {
  if (upload === undefined || !isMlflow(client.server)) return undefined;
  const send = async (path: string, size: number, open: () => Promise<Readable>) => {
    if (uploads.work === false) throw notStored();
    const [route, query] = upload(path);
    const chunks: Uint8Array[] = [];
    for await (const chunk of bytesOf(sizedBody(await open(), size, path))) chunks.push(chunk);
    const repeats = uploads.work ? undefined : 1;
    try {
      await client.post(
        route,
        Buffer.concat(chunks),
        { 'content-type': 'application/octet-stream' },
        { query, repeats },
      );
      uploads.work = true;
      return { etag: undefined };
    } catch (error) {
      if (uploads.work || !isOfStore(error)) throw error;
      uploads.work = false;
      throw notStored(error);
    }
  };
  return {
    kind: 'uploads',
    keepsName: (path) => path.isWellFormed() && !isAlteredPath(path) && isNormalized(path),
    takes: (size) => size > 0 && size <= MOST_UPLOADED,
    put: (path, size, open) => uploads.limit(send, path, size, open),
  };
}

/** A server without an SDK or credentials of its own answers so. */
function isOfStore(error: unknown): boolean {
  return error instanceof MlferryError && ['SERVER_ERROR', 'REFUSED', 'NOT_FOUND'].includes(error.code);
}

function notStored(cause?: unknown): MlferryError {
  return new MlferryError('UNSUPPORTED', 'The server cannot write to its artifact root', { cause });
}
