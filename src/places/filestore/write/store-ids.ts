import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { ORIGIN_TAG, originId } from '../../../model/canonical.ts';
import { listDirectories, listExperimentDirs } from '../layout/layout.ts';
import { readTag } from './target-runs.ts';

/** Ids of one kind of object that has a directory of its own in its experiment's. */
interface IdKind {
  /** The folder of an experiment that holds them. */
  readonly folder: string;
  /** What an id looks like, and a directory can be called. */
  readonly pattern: RegExp;
  /** What a new id begins with. */
  readonly prefix: string;
}

/** The ids that a store has of a kind of object, and which of them are copies of what. */
export interface StoreIds {
  /** Source id → id of the copy, of all copies in an experiment's directory; kept by those who write. */
  copiesIn(directory: string): Promise<Map<string, string>>;
  /** The wanted id where it is free in all experiments (MLflow finds these objects by id alone) and can be used; else a new one. */
  newId(wanted: string): Promise<string>;
}

export function storeIds(root: string, { folder, pattern, prefix }: IdKind): StoreIds {
  const scans = new Map<string, Promise<Map<string, string>>>();
  let taken: Promise<Set<string>> | undefined;

  async function scan(directory: string): Promise<Map<string, string>> {
    const copies = new Map<string, string>();
    for (const name of await listDirectories(join(directory, folder))) {
      const origin = await readTag(join(directory, folder, name), ORIGIN_TAG);
      if (origin !== undefined) copies.set(originId(origin), name);
    }
    return copies;
  }
  async function listIds(): Promise<Set<string>> {
    const all = new Set<string>();
    for (const { path } of await listExperimentDirs(root, true))
      for (const name of await listDirectories(join(path, folder))) all.add(name);
    return all;
  }
  return {
    copiesIn(directory) {
      const known = scans.get(directory) ?? scan(directory);
      scans.set(directory, known);
      return known;
    },
    async newId(wanted) {
      taken ??= listIds();
      const ids = await taken;
      const id =
        pattern.test(wanted) && !ids.has(wanted) ? wanted : `${prefix}${randomUUID().replaceAll('-', '')}`;
      ids.add(id);
      return id;
    },
  };
}
