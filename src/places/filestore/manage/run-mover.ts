import { createHash } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import pLimit from 'p-limit';
import { SOURCE_RUN } from '../../../model/mlflow/trace-fields.ts';
import { isAbsent, MlferryError } from '../../../util/errors.ts';
import { syncDirectory } from '../../../util/sync-directory.ts';
import type { RunKey, RunMover } from '../../run-mover.ts';
import {
  isDirectory,
  listDirectories,
  listExperimentDirs,
  META_FILE,
  MOVE_NOTE,
  PARTIAL,
} from '../layout/layout.ts';
import { toModelMeta, toRunMeta } from '../layout/meta-records.ts';
import { readMetaYaml } from '../layout/meta-yaml.ts';
import { registryOf } from '../layout/registry-files.ts';
import type { Staging } from '../layout/staging.ts';
import { readTextFile } from '../layout/text-file.ts';
import { METADATA, TRACES } from '../layout/trace-files.ts';
import { MODELS } from '../read/logged-models.ts';
import { carryOutMove, drawMove, placeDatasets, type RunMove, runMove } from './move-run.ts';

/** What a mover needs of the manager that it belongs to. */
interface MoverContext {
  readonly root: string;
  readonly staging: Staging;
  /** The directory of an experiment. Throws NOT_FOUND. */
  experimentDir(experiment_id: string): Promise<string>;
  /** Does a change, when this process alone writes to the store. */
  guard(object: string, work: () => Promise<void>): Promise<void>;
}

/** A mover, and what finishes the moves that earlier processes did not live to finish. */
export interface StoreMover extends RunMover {
  finishMoves(): Promise<void>;
}

/**
 * Moves runs of the store at `root` between experiments. A note on the disk says what a move consists of until it is carried out
 * whole; a run that has not been touched when a process is killed stays where it is.
 */
export function createRunMover({ root, staging, experimentDir, guard }: MoverContext): StoreMover {
  const oneAtATime = pLimit(1);
  /** By experiment directory: run → what belongs to it there. */
  const models = new Map<string, Promise<Map<string, string[]>>>();
  const traces = new Map<string, Promise<Map<string, string[]>>>();
  let registry: Promise<Map<string, string>> | undefined;

  const belongings = async (experiment: string, run_id: string) => {
    const [ownModels, ownTraces] = [
      models.get(experiment) ?? modelsIn(experiment),
      traces.get(experiment) ?? tracesIn(experiment),
    ];
    models.set(experiment, ownModels);
    traces.set(experiment, ownTraces);
    return { models: (await ownModels).get(run_id) ?? [], traces: (await ownTraces).get(run_id) ?? [] };
  };

  const notePath = (run_id: string) =>
    join(root, PARTIAL, `${MOVE_NOTE}${createHash('sha256').update(run_id).digest('hex')}`);

  /** Of an experiment that is no more the directory that it would have. */
  const directoryOf = async (experiment_id: string) =>
    (await knownDir(experiment_id)) ?? join(root, experiment_id);

  const knownDir = (experiment_id: string) =>
    experimentDir(experiment_id).catch((error: unknown) => {
      if (error instanceof MlferryError && error.code === 'NOT_FOUND') return undefined;
      throw error;
    });

  const directoriesOf = async ({ from, to }: RunMove) => ({
    from: await directoryOf(from),
    to: await directoryOf(to),
  });

  /** The files of registered models' versions that name what is moved. */
  async function namingFiles({ roots }: RunMove): Promise<string[]> {
    registry ??= versionFiles(root);
    return [...(await registry)].flatMap(([path, text]) =>
      roots.some(([before]) => text.includes(before)) ? [path] : [],
    );
  }

  async function carryOut(move: RunMove): Promise<void> {
    await carryOutMove(staging, move, await directoriesOf(move), await namingFiles(move));
    await staging.removeFile(notePath(move.run_id));
  }

  async function readNotes(): Promise<RunMove[]> {
    const names = await readdir(join(root, PARTIAL)).catch((error: unknown) => {
      if (isAbsent(error)) return [];
      throw error;
    });
    return Promise.all(
      names.filter((name) => name.startsWith(MOVE_NOTE)).map((name) => readNote(join(root, PARTIAL, name))),
    );
  }

  /** With the directory of a run its move has begun; before that nothing has changed. */
  const hasBegun = async (move: RunMove) => {
    const { from, to } = await directoriesOf(move);
    return (await isDirectory(join(to, move.run_id))) && !(await isDirectory(join(from, move.run_id)));
  };

  const metaOf = async (run_id: string, experiment_id: string) => {
    const path = join(await experimentDir(experiment_id), run_id, META_FILE);
    return toRunMeta(await readMetaYaml(path), path);
  };

  /** Has a run say that it is in the experiment that it lies in, and brings the datasets that it read. */
  async function mend(run_id: string, to: string): Promise<void> {
    const { experiment_id: from } = await metaOf(run_id, to);
    if (from === to) return;
    const own = await experimentDir(to);
    const other = await knownDir(from);
    if (other !== undefined) await placeDatasets(staging, join(own, run_id), { from: other, to: own });
    const here = { from: own, to: own };
    const plan = await drawMove({ run_id, from, to, models: [], traces: [] }, here);
    await carryOutMove(staging, plan, here, await namingFiles(plan));
  }

  async function move({ run_id, experiment_id: from }: RunKey, to: string): Promise<void> {
    const directories = { from: await experimentDir(from), to: await experimentDir(to) };
    const [isHere, isThere] = [
      from !== to && (await isDirectory(join(directories.from, run_id))),
      await isDirectory(join(directories.to, run_id)),
    ];
    if (isThere && isHere)
      throw new MlferryError('REFUSED', `Experiment ${to} has another run ${run_id} already`);
    if (isThere) return mend(run_id, to);
    if (!isHere) throw new MlferryError('NOT_FOUND', `Experiment ${from} of ${root} has no run ${run_id}`);
    await mend(run_id, from);
    const plan = await drawMove(
      { run_id, from, to, ...(await belongings(directories.from, run_id)) },
      directories,
    );
    await placeDatasets(staging, join(directories.from, run_id), directories);
    await staging.replaceFile(notePath(run_id), JSON.stringify(plan));
    await syncDirectory(join(root, PARTIAL));
    await carryOut(plan);
  }

  return {
    async find(run_ids) {
      const found: RunKey[] = [];
      for (const { name, path } of await listExperimentDirs(root, true))
        for (const run_id of run_ids)
          if (await isDirectory(join(path, run_id))) found.push({ run_id, experiment_id: name });
      return found;
    },
    async unfinished() {
      const moves = await readNotes();
      const begun = await Promise.all(moves.map(hasBegun));
      return moves
        .filter((_, index) => begun[index])
        .map(({ run_id, from, to }) => ({ run_id, experiment_id: from, to }));
    },
    isMisplaced: async ({ run_id, experiment_id }) =>
      (await metaOf(run_id, experiment_id)).experiment_id !== experiment_id,
    move: (run, experiment_id) =>
      guard(`run ${run.run_id}`, () => oneAtATime(() => move(run, experiment_id))),
    async finishMoves() {
      for (const left of await readNotes()) {
        if (await hasBegun(left)) await carryOut(left);
        else await staging.removeFile(notePath(left.run_id));
      }
    },
  };
}

/** Throws CORRUPT for a file that no move has written. */
async function readNote(path: string): Promise<RunMove> {
  const text = await readFile(path, 'utf8');
  try {
    return runMove.parse(JSON.parse(text));
  } catch (error) {
    throw new MlferryError('CORRUPT', `${path} does not tell which run was being moved`, { cause: error });
  }
}

/** The logged models of an experiment by the run that made them; damaged ones stay where they are. */
function modelsIn(experiment: string): Promise<Map<string, string[]>> {
  return byRun(join(experiment, MODELS), async (directory) => {
    const path = join(directory, META_FILE);
    return toModelMeta(await readMetaYaml(path), path).source_run_id;
  });
}

/** The same of its traces. */
function tracesIn(experiment: string): Promise<Map<string, string[]>> {
  return byRun(join(experiment, TRACES), (directory) => readTextFile(join(directory, METADATA, SOURCE_RUN)));
}

async function byRun(
  parent: string,
  runOf: (directory: string) => Promise<string | undefined>,
): Promise<Map<string, string[]>> {
  const found = new Map<string, string[]>();
  for (const name of await listDirectories(parent)) {
    if (name.startsWith('.')) continue;
    const run_id = await runOf(join(parent, name)).catch((error: unknown) => {
      const damaged = error instanceof MlferryError && error.code === 'SOURCE_ITEM';
      if (!damaged && !isAbsent(error)) throw error;
      return undefined;
    });
    if (run_id !== undefined) found.set(run_id, [...(found.get(run_id) ?? []), name]);
  }
  return found;
}

/** The `meta.yaml` files of all registered models' versions, with their texts. */
async function versionFiles(root: string): Promise<Map<string, string>> {
  const files = new Map<string, string>();
  for (const model of await listDirectories(registryOf(root)))
    for (const version of await listDirectories(join(registryOf(root), model))) {
      const path = join(registryOf(root), model, version, META_FILE);
      const text = await readTextFile(path).catch((error: unknown) => {
        if (isAbsent(error)) return undefined;
        throw error;
      });
      if (text !== undefined) files.set(path, text);
    }
  return files;
}
