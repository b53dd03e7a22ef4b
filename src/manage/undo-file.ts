import { createReadStream } from 'node:fs';
import { mkdir, open, rename, rm, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { z } from 'zod';
import { toJson } from '../model/json.ts';
import { keptObject } from '../places/model-manager.ts';
import type { PlaceInfo } from '../places/place.ts';
import { asMlferryError, MlferryError, systemCode } from '../util/errors.ts';
import { splitLines } from '../util/split-lines.ts';
import { syncDirectory } from '../util/sync-directory.ts';
import { TOOL_VERSION } from '../util/tool-version.ts';
import { experimentState, type Plan, runState } from './changes.ts';
import { objectState } from './object-changes.ts';

/** Version of the undo file's lines; a reader refuses a newer one. 2: of moved runs. 3: of models and their versions. */
const UNDO_VERSION = 3;

const undoHeader = z.strictObject({
  kind: z.literal('undo'),
  version: z.int().positive(),
  action: z.string(),
  location: z.string(),
  fingerprint: z.string(),
  /** ms since the epoch. */
  time: z.int(),
  tool_version: z.string(),
});

const undoRun = z.strictObject({
  kind: z.literal('run'),
  run_id: z.string().min(1),
  experiment_id: z.string().min(1),
  run_name: z.string(),
  /** Name of the experiment that may have a copy of it, to be deleted. */
  copied_to: z.string().optional(),
  before: runState,
});

const undoExperiment = z.strictObject({
  kind: z.literal('experiment'),
  experiment_id: z.string().min(1),
  name: z.string(),
  before: experimentState,
});

const undoObject = z.strictObject({
  kind: z.literal('object'),
  /** The kind of the object that it is of. */
  of: z.string().min(1),
  id: z.string().min(1),
  experiment_id: z.string().optional(),
  name: z.string(),
  before: objectState,
  kept: keptObject.optional(),
  /** Nothing brings it back: what is kept tells what it was. */
  final: z.boolean(),
});

/** What an undo file holds: the state of each object before a command changed it. */
export interface Undo {
  readonly header: z.infer<typeof undoHeader>;
  readonly runs: ReadonlyArray<z.infer<typeof undoRun>>;
  readonly experiments: ReadonlyArray<z.infer<typeof undoExperiment>>;
  readonly objects: ReadonlyArray<z.infer<typeof undoObject>>;
}

/**
 * Writes how everything is that the plan changes: NDJSON, a header and a line for each object. It is on the disk, whole,
 * when this returns. Throws CONFLICT when the file is there, USAGE when it cannot be written.
 */
export async function writeUndoFile(
  path: string,
  action: string,
  place: PlaceInfo,
  plan: Plan,
): Promise<void> {
  const header: Undo['header'] = {
    kind: 'undo',
    version: UNDO_VERSION,
    action,
    location: place.location,
    fingerprint: place.fingerprint,
    time: Date.now(),
    tool_version: TOOL_VERSION,
  };
  const lines = [
    header,
    ...plan.experiments.map(({ experiment_id, name, before }) => ({
      kind: 'experiment',
      experiment_id,
      name,
      before,
    })),
    ...plan.runs.map(({ run_id, experiment_id, run_name, copied_to, before }) => ({
      kind: 'run',
      run_id,
      experiment_id,
      run_name,
      copied_to,
      before,
    })),
    ...plan.objects.map(({ kind, id, experiment_id, name, before, kept, final }) => ({
      kind: 'object',
      of: kind,
      id,
      experiment_id,
      name,
      before,
      kept,
      final,
    })),
  ].map((line) => `${toJson(line)}\n`);
  const partial = `${path}.partial`;
  try {
    await mkdir(dirname(path), { recursive: true });
    if (await isThere(path)) throw new MlferryError('CONFLICT', `The undo file ${path} is there already`);
    const file = await open(partial, 'w', 0o600);
    try {
      await file.writeFile(lines.join(''));
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(partial, path);
    await syncDirectory(dirname(path));
  } catch (error) {
    await rm(partial, { force: true }).catch(() => undefined);
    throw asMlferryError(error, 'USAGE', `The undo file ${path} cannot be written`);
  }
}

/** Reads an undo file. Throws USAGE when it cannot be read, FORMAT for a newer one, CORRUPT for a line that does not fit. */
export async function readUndoFile(path: string): Promise<Undo> {
  let header: Undo['header'] | undefined;
  const runs: Array<z.infer<typeof undoRun>> = [];
  const experiments: Array<z.infer<typeof undoExperiment>> = [];
  const objects: Array<z.infer<typeof undoObject>> = [];
  let number = 0;
  const take = <T>(schema: z.ZodType<T>, value: unknown): T => {
    const parsed = schema.safeParse(value);
    if (parsed.success) return parsed.data;
    const what = parsed.error.issues[0]?.message ?? 'does not fit';
    throw new MlferryError('CORRUPT', `${path}, line ${number}: not a line of an undo file: ${what}`);
  };
  try {
    for await (const bytes of splitLines(createReadStream(path), path)) {
      number += 1;
      const value = parseLine(Buffer.from(bytes).toString());
      if (header === undefined) {
        // Before anything else: a newer head may have other fields.
        const version = z.looseObject({ version: z.int() }).safeParse(value).data?.version ?? 0;
        if (version > UNDO_VERSION)
          throw new MlferryError('FORMAT', `${path} was written by a newer mlferry`);
        header = take(undoHeader, value);
      } else if (kindOf(value) === 'experiment') experiments.push(take(undoExperiment, value));
      else if (kindOf(value) === 'object') objects.push(take(undoObject, value));
      else runs.push(take(undoRun, value));
    }
  } catch (error) {
    throw asMlferryError(error, 'USAGE', `The undo file ${path} cannot be read`);
  }
  if (header === undefined) throw new MlferryError('CORRUPT', `${path} is empty`);
  return { header, runs, experiments, objects };
}

function parseLine(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    return undefined;
  }
}

function kindOf(value: unknown): string | undefined {
  return z.looseObject({ kind: z.string() }).safeParse(value).data?.kind;
}

async function isThere(path: string): Promise<boolean> {
  try {
    await stat(path);
    return true;
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return false;
    throw error;
  }
}
