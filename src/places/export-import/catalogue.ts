import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { systemCode } from '../../util/errors.ts';
import { BYTES, type ExportPart, partOf } from './layout.ts';

/** The files of an export by what they are about, in code-unit order of their paths. */
export interface Catalogue {
  /** Absolute and without links. */
  readonly root: string;
  readonly files: ReadonlyMap<ExportPart, readonly string[]>;
  /** What was not looked into, and why. */
  readonly skipped: ReadonlyArray<{ readonly path: string; readonly reason: string }>;
}

/** Finds the files of the export in `root`, a path without links. Links are not followed. */
export async function readCatalogue(root: string, signal: AbortSignal): Promise<Catalogue> {
  const files = new Map<ExportPart, string[]>();
  const skipped: { path: string; reason: string }[] = [];
  const waiting = [root];
  for (let directory = waiting.pop(); directory !== undefined; directory = waiting.pop()) {
    signal.throwIfAborted();
    const entries = await readdir(directory, { withFileTypes: true }).catch((error: unknown) => {
      skipped.push({ path: directory ?? root, reason: systemCode(error) ?? String(error) });
      return [];
    });
    const holdsObject = entries.some((entry) => entry.isFile() && isObject(partOf(entry.name)));
    for (const entry of entries) {
      if (entry.name.startsWith('.')) continue;
      const path = join(directory, entry.name);
      const part = partOf(entry.name);
      const isBytes = holdsObject && BYTES.includes(entry.name);
      if (entry.isSymbolicLink() && !isBytes)
        skipped.push({ path, reason: 'it is a symbolic link, which is not followed' });
      else if (entry.isFile() && part !== undefined) {
        const known = files.get(part);
        if (known === undefined) files.set(part, [path]);
        else known.push(path);
      } else if (entry.isDirectory() && !isBytes) waiting.push(path);
    }
  }
  for (const paths of files.values()) paths.sort();
  return { root, files, skipped };
}

const isObject = (part: ExportPart | undefined) => part !== undefined && part !== 'index';
