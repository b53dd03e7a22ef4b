import { createHash } from 'node:crypto';
import type { Readable } from 'node:stream';
import { type FileRecord, recordProblem, type WireRecord } from '../../kinds/wire-record.ts';
import { slicePoints } from '../../model/points.ts';
import { MAX_POINTS } from '../../model/records.ts';
import { type ByteSpool, createByteSpool } from '../../util/byte-spool.ts';
import { asMlferryError, MlferryError } from '../../util/errors.ts';
import { MAX_LINE_BYTES } from '../../util/split-lines.ts';
import type { ArtifactEntry, ArtifactOwner } from '../artifact-owner.ts';
import { errorOfFile, fileFailure } from '../file-failure.ts';
import type { RunReader } from '../place.ts';
import type { WriterOptions } from '../place-options.ts';
import { lineOf } from './record-header.ts';
import { watchRun } from './run-check.ts';

/** Bytes of an artifact that were taken over: their number and sha256 (hex). */
export interface StoredBody {
  readonly size: number;
  readonly sha256: string;
}

/**
 * What becomes of artifact bytes: taken over by a function, `referenced` (only named), or, in a dry run, `planned`
 * (counted as if they were taken over).
 */
export type Bodies = StoreBody | 'referenced' | 'planned';

/** Takes bytes over, unless `accept`, which is told what they were, throws. */
export type StoreBody = (
  body: AsyncIterable<Uint8Array>,
  accept: (stored: StoredBody) => void,
) => Promise<StoredBody>;

/** A run or other object collected whole, waiting for its turn: its lines, and what they count. */
export interface SpooledObject {
  /** Its own line. */
  readonly head: Uint8Array;
  /** The lines under it. */
  readonly lines: ByteSpool;
  readonly points: number;
  readonly artifacts: number;
  /** Bytes of the artifacts that are carried. */
  readonly bytes: number;
  /** The artifacts whose bytes are not carried. */
  readonly referenced: { readonly artifacts: number; readonly bytes: number };
  /** Files of it could not be read, as the findings tell: its line says so. */
  readonly incomplete: boolean;
}

/** All lines of a collected object. */
export async function* linesOf({ head, lines }: SpooledObject): AsyncGenerator<Uint8Array> {
  if (head.length > 0) yield head;
  yield* lines.read(0, lines.length());
}

/** What is collected: the record in its place's ids, and what stands under it. */
export interface SpoolSource extends ArtifactOwner {
  /** For messages: `run 1f0…`. */
  readonly name: string;
  readonly record: WireRecord;
  /** Of runs. */
  readonly metrics?: RunReader['metrics'];
  readonly fileList?: RunReader['fileList'];
  /** The line of a file. */
  file(path: string, stored: { size: number; sha256?: string }): FileRecord;
}

/**
 * Reads an object from its source and keeps its lines in memory and then in a temporary file (not in a dry run). Checks
 * what it writes as a reader will. A file of a run that cannot be read costs itself alone.
 * Throws the source's own errors, SOURCE_ITEM for records that no reader would take back, NO_SPACE.
 */
export async function spoolObject(
  source: SpoolSource,
  bodies: Bodies,
  options: Pick<WriterOptions, 'tempDir' | 'findings' | 'signal' | 'dryRun'>,
): Promise<SpooledObject> {
  const lines = createByteSpool(options.tempDir);
  const watch = watchRun();
  const { name } = source;
  const refuse = (reason: string) => new MlferryError('SOURCE_ITEM', `The ${name} ${reason}`);
  const lineIn = (record: WireRecord): Uint8Array => {
    if (options.signal.aborted)
      throw new MlferryError('INTERRUPTED', 'Interrupted', { cause: options.signal.reason });
    const problem = recordProblem(record);
    const kind = record.kind === 'object' ? record.of.words.one : record.kind;
    if (problem !== undefined)
      throw refuse(`has a ${kind} that cannot be written: ${problem.path}: ${problem.message}`);
    const line = lineOf(record);
    if (line.length > MAX_LINE_BYTES) throw refuse(`has a ${kind} of more than ${MAX_LINE_BYTES} bytes`);
    return line;
  };
  const append = async (record: WireRecord) => {
    const line = lineIn(record);
    if (!options.dryRun) await lines.append(line);
  };
  let points = 0;
  let artifacts = 0;
  let bytes = 0;
  const referenced = { artifacts: 0, bytes: 0 };
  const { record: own } = source;
  const run_id = own.kind === 'run' ? own.run_id : undefined;
  let head = lineIn(own);
  let incomplete = false;
  /** What became of a file; nothing when it cannot be read and its run goes on without it. */
  const store = async (entry: ArtifactEntry) => {
    try {
      return await storeBody(source, entry, bodies, name);
    } catch (error) {
      if (own.kind !== 'run') throw error;
      const known = errorOfFile(error, 'SOURCE_ITEM');
      options.findings.failure(fileFailure(entry.path, known, { words: name, run_id: own.run_id }));
      head = lineIn({ ...own, incomplete: true });
      incomplete = true;
      return undefined;
    }
  };
  try {
    for await (const piece of run_id === undefined ? [] : (source.metrics?.() ?? [])) {
      if (run_id === undefined) break;
      for (let start = 0; start < piece.points.length; start += MAX_POINTS) {
        const record = {
          kind: 'metrics' as const,
          run_id,
          key: piece.key,
          points: slicePoints(piece.points, start, start + MAX_POINTS),
        };
        const problem = watch.metrics(record);
        if (problem !== undefined) throw refuse(problem.reason);
        await append(record);
        points += record.points.length;
      }
    }
    for await (const entry of source.artifacts()) {
      const problem = watch.artifact(entry);
      if (problem?.hostile) {
        options.findings.loss({
          code: 'ARTIFACT_NAME',
          left_behind: true,
          ...(run_id === undefined ? {} : { run_id }),
          key: entry.path,
          detail: `The ${name} ${problem.reason}; the file was left out.`,
        });
        continue;
      }
      if (problem !== undefined) throw refuse(problem.reason);
      const stored = await store(entry);
      if (stored === undefined) continue;
      await append(source.file(entry.path, stored));
      artifacts += 1;
      if (stored.sha256 !== undefined || bodies === 'planned') bytes += stored.size;
      else {
        referenced.artifacts += 1;
        referenced.bytes += stored.size;
      }
    }
    return { head, lines, points, artifacts, bytes, referenced, incomplete };
  } catch (error) {
    await lines.remove();
    throw asMlferryError(error, 'SOURCE_ITEM', `The ${name} cannot be read`);
  }
}

async function storeBody(
  source: ArtifactOwner,
  entry: ArtifactEntry,
  bodies: Bodies,
  name: string,
): Promise<{ size: number; sha256?: string }> {
  const store = typeof bodies === 'function' ? bodies : undefined;
  if (store === undefined && entry.size !== undefined) return { size: entry.size };
  const body = await source.open(entry);
  if (body === undefined) return { size: entry.size ?? 0 };
  const file = `${entry.path} of ${name}`;
  if (store === undefined) return { size: (await hashed(chunksOf(body, file))).size };
  const { size, sha256 } = await store(chunksOf(body, file), (stored) => {
    if (entry.size !== undefined && entry.size !== stored.size) {
      throw new MlferryError('SHORT_BODY', `${file} should have ${entry.size} bytes and gave ${stored.size}`);
    }
    if (entry.sha256 !== undefined && entry.sha256 !== stored.sha256)
      throw new MlferryError('SOURCE_ITEM', `${file} does not have the sha256 ${entry.sha256}`);
  });
  return { size, sha256 };
}

/** Reads bytes to their end and tells their number and sha256. */
async function hashed(chunks: AsyncIterable<Uint8Array>): Promise<StoredBody> {
  const hash = createHash('sha256');
  let size = 0;
  for await (const chunk of chunks) {
    hash.update(chunk);
    size += chunk.length;
  }
  return { size, sha256: hash.digest('hex') };
}

async function* chunksOf(body: Readable, file: string): AsyncGenerator<Uint8Array> {
  try {
    for await (const chunk of body) {
      if (!(chunk instanceof Uint8Array))
        throw new MlferryError('BUG', `${file} gave something else than bytes`);
      yield chunk;
    }
  } catch (error) {
    throw asMlferryError(error, 'SOURCE_ITEM', `${file} cannot be read`);
  }
}
