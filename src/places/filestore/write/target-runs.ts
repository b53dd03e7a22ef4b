import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { ORIGIN_TAG, originRunId } from '../../../model/canonical.ts';
import { isAbsent } from '../../../util/errors.ts';
import { listExperimentDirs, listRunDirs, RESERVED } from '../layout/layout.ts';
import { readTextFile } from '../layout/text-file.ts';

/** Which runs a store has: their ids, and which are copies of which source run. */
export interface TargetRuns {
  /** Run ids of the copies in an experiment's directory, by the id of their source run; scanned once. */
  copies(experimentDir: string): Promise<Map<string, string>>;
  /** Takes a run id for a new run: the wanted one when the store can hold it and has it in no experiment, else a new one. */
  takeId(wanted: string): Promise<string>;
  /** Gives an id back whose run was not written. */
  releaseId(id: string): void;
  /** The copies of source runs in any experiment: source run_id → run_id. */
  find(sourceRunIds: readonly string[]): Promise<Map<string, string>>;
  /** An experiment's directory was moved. */
  moved(from: string, to: string): void;
}

// mlflow/utils/validation.py, _RUN_ID_REGEX, without the letters beyond ASCII.
const RUN_ID = /^[a-zA-Z0-9][\w-]{0,254}$/;

/** The text of a tag of a run, `undefined` when it has none. */
export async function readTag(runDir: string, key: string): Promise<string | undefined> {
  try {
    return await readTextFile(join(runDir, 'tags', key));
  } catch (error) {
    if (isAbsent(error)) return undefined;
    throw error;
  }
}

/** The runs of the store at `root`. */
export function createTargetRuns(root: string): TargetRuns {
  const scans = new Map<string, Promise<Map<string, string>>>();
  let ids: Promise<Set<string>> | undefined;

  const scan = async (experimentDir: string) => {
    const copies = new Map<string, string>();
    for (const name of await listRunDirs(experimentDir)) {
      const origin = await readTag(join(experimentDir, name), ORIGIN_TAG);
      if (origin !== undefined) copies.set(originRunId(origin), name);
    }
    return copies;
  };
  const copies = (experimentDir: string) => {
    const known = scans.get(experimentDir) ?? scan(experimentDir);
    scans.set(experimentDir, known);
    return known;
  };
  const listIds = async () => {
    const all = new Set<string>();
    for (const { path } of await listExperimentDirs(root, true))
      for (const name of await listRunDirs(path)) all.add(name);
    return all;
  };
  let taken = new Set<string>();

  return {
    copies,
    async takeId(wanted) {
      ids ??= listIds();
      taken = await ids;
      const free = RUN_ID.test(wanted) && !RESERVED.has(wanted) && !taken.has(wanted);
      const id = free ? wanted : randomUUID().replaceAll('-', '');
      taken.add(id);
      return id;
    },
    releaseId(id) {
      taken.delete(id);
    },
    async find(sourceRunIds) {
      const found = new Map<string, string>();
      for (const { path } of await listExperimentDirs(root, true)) {
        const known = await copies(path);
        for (const id of sourceRunIds) {
          const copy = known.get(id);
          if (copy !== undefined && !found.has(id)) found.set(id, copy);
        }
      }
      return found;
    },
    moved(from, to) {
      const known = scans.get(from);
      scans.delete(from);
      if (known !== undefined) scans.set(to, known);
    },
  };
}
