import { randomUUID } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { writeBody } from '../../../artifacts/local/put-file.ts';
import type { ArtifactSink } from '../../../artifacts/sink.ts';
import { createFileListDigest, type FileList } from '../../../model/file-list.ts';
import { freeFileName } from '../../../model/free-file-name.ts';
import { OWN_DIRECTORY, RENAMED_FILE } from '../../../model/own-files.ts';
import { MlferryError } from '../../../util/errors.ts';
import { mapConcurrent } from '../../../util/map-concurrent.ts';
import type { ArtifactEntry, ArtifactOwner } from '../../artifact-owner.ts';
import { errorOfFile } from '../../file-failure.ts';
import type { ServerOwner } from '../connect/owner.ts';
import type { TrackingClient } from '../connect/tracking-client.ts';
import { directoriesOf, safeName } from './artifact-names.ts';
import { type FailedFile, listFiles, notArrived, sameContent } from './held-files.ts';
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
  const { owner, sink } = target;
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
  const renamed = new Map<string, string>();
  const nameOf = ({ path }: ArtifactEntry) => {
    if (sink === undefined || sink.keepsName(path)) return path;
    const name = safeName(path);
    renamed.set(path, name);
    return name;
  };
  const written = new Map<string, number>();
  const paths = entries.map(nameOf);
  const there =
    comparison === 'nothing there' || sink === undefined
      ? new Map<string, number>()
      : await listFiles(routes, owner, directoriesOf(paths));

  const list = listed.list();
  if (sink === undefined)
    return { ...result, unreachable: entries.length, renamed: [], failed: [], list, ownName };

  const count = (path: string, size: number) => {
    written.set(path, size);
    sent.artifacts++;
    sent.bytes += size;
  };
  const send = async (entry: ArtifactEntry) => {
    const path = renamed.get(entry.path) ?? entry.path;
    if (comparison === 'size' && entry.size !== undefined && there.get(path) === entry.size) return;
    if (!routes.changes && entry.size !== undefined && there.get(path) !== entry.size) {
      if (context.hashesTellBytes && entry.sha256 === undefined) result.notCarried++;
      else count(path, entry.size);
      return;
    }
    const sized = await withSize(source, entry, context.tempDir);
    try {
      if (sized === undefined) {
        if (!there.has(path)) result.notCarried++;
        return;
      }
      const { size, open } = sized;
      if (
        there.get(path) === size &&
        (comparison === 'size' || (await sameContent(context.client, owner, path, open, entry.sha256)))
      ) {
        result.there++;
        return;
      }
      if (routes.changes && !(await putIfServed(sink, path, size, open))) {
        result.unreachable++;
        return;
      }
      count(path, size);
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
    if (routes.changes) await sink.put(name, map.length, async () => Readable.from([map]));
    written.set(name, map.length);
  }
  if (routes.changes) failed.push(...(await notArrived(routes, owner, written)));
  return { ...result, renamed: [...renamed.keys()], failed, list, ownName };
}

/** Writes one of mlferry's own files of a run and checks that it arrived. */
export async function sendOwnFile(
  { routes }: Pick<ArtifactContext, 'routes'>,
  target: { owner: ServerOwner; sink: ArtifactSink },
  path: string,
  size: number,
  open: () => Promise<Readable>,
): Promise<void> {
  if (!routes.changes) return;
  await target.sink.put(path, size, open);
  const [missing] = await notArrived(routes, target.owner, new Map([[path, size]]));
  if (missing !== undefined) throw missing.error;
}

/**
 * False when the server does not serve artifacts at all (`--no-serve-artifacts`). A short body may be a passing fault
 * of the source: it is read once more.
 */
async function putIfServed(
  sink: ArtifactSink,
  path: string,
  size: number,
  open: () => Promise<Readable>,
): Promise<boolean> {
  try {
    await sink.put(path, size, open);
  } catch (error) {
    if (!(error instanceof MlferryError)) throw error;
    if (error.code === 'UNSUPPORTED') return false;
    if (error.code !== 'SHORT_BODY') throw error;
    await sink.put(path, size, open);
  }
  return true;
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
