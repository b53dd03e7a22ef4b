import { randomUUID } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { writeBody } from '../../../artifacts/local/put-file.ts';
import type { ArtifactSink } from '../../../artifacts/sink.ts';
import type { PutFile, StoredFile } from '../../../artifacts/store.ts';
import { createFileListDigest, type FileList } from '../../../model/file-list.ts';
import { freeFileName } from '../../../model/free-file-name.ts';
import { OWN_DIRECTORY, RENAMED_FILE } from '../../../model/own-files.ts';
import { appendAll } from '../../../util/append-all.ts';
import { MlferryError } from '../../../util/errors.ts';
import { mapConcurrent } from '../../../util/map-concurrent.ts';
import type { ArtifactEntry, ArtifactOwner } from '../../artifact-owner.ts';
import { errorOfFile } from '../../file-failure.ts';
import type { ServerOwner } from '../connect/owner.ts';
import type { TrackingClient } from '../connect/tracking-client.ts';
import { directoriesOf, safeName } from './artifact-names.ts';
import { type FailedFile, heldFiles, type WrittenFiles } from './held-files.ts';
import type { TargetRoutes } from './target-routes.ts';

/** How files that the target has already are told from those it lacks: by size, or by their bytes where sizes are equal. */
export type Comparison = 'nothing there' | 'size' | 'content';

/** The run or model on the target. */
export interface ArtifactTarget {
  readonly owner: ServerOwner;
  readonly sink: ArtifactSink | undefined;
}

/** What was sent for a run (in a dry run: would be), in all tries. Points, files and their bytes. */
export interface SentCounts {
  points: number;
  artifacts: number;
  bytes: number;
}

/** What the target could not take of a run's files. */
export interface ArtifactsSent {
  /** Files without a way to the target's artifact root. */
  readonly unreachable: number;
  /** Files whose bytes the source does not carry. */
  readonly notCarried: number;
  /** Files of a size that the only way to the target's artifact root does not take. */
  readonly refused: readonly string[];
  /** Files that were there already. */
  readonly there: number;
  /** Paths that arrived under another name. */
  readonly renamed: readonly string[];
  /** Files that the source could not give or the target did not take: all others were sent. */
  readonly failed: readonly FailedFile[];
  /** The list of the source's files, where there are any. */
  readonly list: FileList | undefined;
  /** The names that mlferry's own files may use: those that no file of the source has. */
  ownName(path: string): string;
}

/** What sending artifacts needs. */
export interface ArtifactContext {
  readonly client: TrackingClient;
  readonly routes: TargetRoutes;
  readonly tempDir: string;
  /** Whether an entry without sha256 has no bytes (archives and streams). */
  readonly hashesTellBytes: boolean;
}

/** Files of one run on their way at once: the connections allow two for each run in flight. */
const PARALLEL = 2;

/**
 * Sends the files of a run or model that the target lacks. A 200 is no proof of what was stored under which name, so every
 * directory that was written to is listed afterwards, one request each, and names and sizes compared. What concerns one
 * file is in `failed`; throws what ends the job.
 */
export async function sendArtifacts(
  context: ArtifactContext,
  source: ArtifactOwner,
  target: ArtifactTarget,
  comparison: Comparison,
  sent: SentCounts,
): Promise<ArtifactsSent> {
  const { routes } = context;
  const { sink } = target;
  const held = heldFiles(context, target);
  const taken = new Set<string>();
  const entries: ArtifactEntry[] = [];
  const listed = createFileListDigest();
  for await (const entry of source.artifacts()) {
    entries.push(entry);
    listed.add(entry);
    if (entry.path.startsWith(OWN_DIRECTORY)) taken.add(entry.path);
  }
  const ownName = (path: string) => freeFileName(path, taken);
  const result = { unreachable: 0, notCarried: 0, there: 0 };
  const refused: string[] = [];
  const renamed = new Map<string, string>();
  const nameOf = ({ path }: ArtifactEntry) => {
    if (sink === undefined || sink.keepsName(path)) return path;
    const name = safeName(path);
    renamed.set(path, name);
    return name;
  };
  const written: WrittenFiles = new Map();
  const paths = entries.map(nameOf);
  const there =
    comparison === 'nothing there' || sink === undefined
      ? new Map<string, StoredFile>()
      : await held.list(directoriesOf(paths));

  const list = listed.list();
  if (sink === undefined)
    return { ...result, unreachable: entries.length, refused, renamed: [], failed: [], list, ownName };

  const count = (path: string, size: number, etag?: string) => {
    written.set(path, { size, etag });
    sent.artifacts++;
    sent.bytes += size;
  };
  const send = async (entry: ArtifactEntry) => {
    const path = renamed.get(entry.path) ?? entry.path;
    const present = there.get(path);
    if (comparison === 'size' && entry.size !== undefined && present?.size === entry.size) return;
    if (!routes.changes && entry.size !== undefined && present?.size !== entry.size) {
      if (sink.takes?.(entry.size) === false) refused.push(entry.path);
      else if (context.hashesTellBytes && entry.sha256 === undefined) result.notCarried++;
      else count(path, entry.size);
      return;
    }
    const inStore = await copyInStore(sink, entry, path, present, routes.changes);
    if (inStore === 'there') {
      result.there++;
      return;
    }
    if (inStore !== undefined) {
      count(path, inStore.size, inStore.etag);
      return;
    }
    const sized = await withSize(source, entry, context.tempDir);
    try {
      if (sized === undefined) {
        if (present === undefined) result.notCarried++;
        return;
      }
      const { size, open } = sized;
      if (
        present?.size === size &&
        (comparison === 'size' || (await held.sameContent(present, open, entry.sha256)))
      ) {
        result.there++;
        return;
      }
      if (sink.takes?.(size) === false) {
        refused.push(entry.path);
        return;
      }
      const put = routes.changes ? await putIfServed(sink, path, size, open) : { etag: undefined };
      if (put === undefined) result.unreachable++;
      else count(path, size, put.etag);
    } finally {
      await sized?.dispose();
    }
  };
  const failed: FailedFile[] = [];
  await mapConcurrent(entries, PARALLEL, async (entry) => {
    try {
      await send(entry);
    } catch (error) {
      failed.push({ path: entry.path, error: errorOfFile(error) });
    }
  });

  if (sink !== undefined && [...renamed.values()].some((name) => written.has(name))) {
    const map = Buffer.from(
      JSON.stringify({ format: 'mlferry-renamed', version: 1, files: Object.fromEntries(renamed) }),
    );
    const name = ownName(RENAMED_FILE);
    const put = routes.changes
      ? await sink.put(name, map.length, async () => Readable.from([map]))
      : undefined;
    written.set(name, { size: map.length, etag: put?.etag });
  }
  if (routes.changes) appendAll(failed, await held.notArrived(written));
  return { ...result, refused, renamed: [...renamed.keys()], failed, list, ownName };
}

/**
 * A file whose bytes the target's own store has is copied by that store, if it can: `undefined` where it cannot. Equal marks are
 * equal bytes.
 */
async function copyInStore(
  { store }: ArtifactSink,
  { stored }: ArtifactEntry,
  path: string,
  present: StoredFile | undefined,
  changes: boolean,
): Promise<'there' | { size: number; etag: string | undefined } | undefined> {
  if (store === undefined || stored === undefined) return undefined;
  const isThere = present?.size === stored.size && present.etag !== undefined && present.etag === stored.etag;
  if (isThere && stored.endpoint === store.origin(present).endpoint) return 'there';
  const put = changes ? await store.copy(path, stored) : undefined;
  return put === undefined ? undefined : { size: stored.size, etag: put.etag };
}

/** Writes one of mlferry's own files of a run and checks that it arrived. */
export async function sendOwnFile(
  context: Pick<ArtifactContext, 'client' | 'routes'>,
  target: { owner: ServerOwner; sink: ArtifactSink },
  path: string,
  size: number,
  open: () => Promise<Readable>,
): Promise<void> {
  if (!context.routes.changes) return;
  const put = await target.sink.put(path, size, open);
  const [missing] = await heldFiles(context, target).notArrived(new Map([[path, { size, etag: put?.etag }]]));
  if (missing !== undefined) throw missing.error;
}

/**
 * `undefined` when the server does not serve artifacts at all (`--no-serve-artifacts`). A short body may be a passing fault
 * of the source: it is read once more.
 */
async function putIfServed(
  sink: ArtifactSink,
  path: string,
  size: number,
  open: () => Promise<Readable>,
): Promise<PutFile | undefined> {
  try {
    return await sink.put(path, size, open);
  } catch (error) {
    if (!(error instanceof MlferryError)) throw error;
    if (error.code === 'UNSUPPORTED') return undefined;
    if (error.code !== 'SHORT_BODY') throw error;
    return await sink.put(path, size, open);
  }
}

interface Sized {
  readonly size: number;
  open(): Promise<Readable>;
  dispose(): Promise<void>;
}

/** A file with its size; bytes of unknown length are spooled first. `undefined`: the source does not carry them. */
async function withSize(
  source: ArtifactOwner,
  entry: ArtifactEntry,
  tempDir: string,
): Promise<Sized | undefined> {
  let first = await source.open(entry);
  if (first === undefined) return undefined;
  // Where the stream is not needed after all, nobody else hears its error.
  first.on('error', () => undefined);
  if (entry.size === undefined) {
    const file = join(tempDir, `artifact-${randomUUID()}`);
    const dispose = () => rm(file, { force: true });
    try {
      const name = `Artifact ${JSON.stringify(entry.path)}`;
      const size = await writeBody(file, { body: first, size: undefined, name, durable: false });
      return { size, open: async () => createReadStream(file), dispose };
    } catch (error) {
      await dispose();
      throw error;
    }
  }
  return {
    size: entry.size,
    async open() {
      const stream = first ?? (await source.open(entry));
      first = undefined;
      if (stream === undefined)
        throw new MlferryError(
          'SOURCE_ITEM',
          `Artifact ${JSON.stringify(entry.path)} could be opened only once`,
        );
      return stream;
    },
    async dispose() {
      first?.destroy();
    },
  };
}
