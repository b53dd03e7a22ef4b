import { createReadStream } from 'node:fs';
import { mkdir, readdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { copy } from '../../../src/copy/copy.ts';
import { createLedger } from '../../../src/job/ledger.ts';
import { ALL_PARTS } from '../../../src/kinds/parts.ts';
import { ALL_ACTIVE, type Selection, selectsExperiment, selectsRun } from '../../../src/model/selection.ts';
import { openFileStoreReader } from '../../../src/places/filestore/read/reader.ts';
import { openFileStoreWriter } from '../../../src/places/filestore/write/writer.ts';
import type { Reader } from '../../../src/places/place.ts';
import type { PlaceOptions } from '../../../src/places/place-options.ts';
import { SERVER_TRAITS } from '../../../src/places/server/traits.ts';
import {
  memoryRunReader,
  readerOptions,
  readWorkspace,
  sha256,
  testOptions,
  type Workspace,
} from '../memory-workspace.ts';

/** Everything, deleted or not. */
export const ALL: Selection = { ...ALL_ACTIVE, view: 'all' };

/** Opens a store for reading, with what it finds on the way. */
export async function openStore(path: string, more: Partial<PlaceOptions> = {}) {
  const { options, losses, failures } = readerOptions('/nowhere', more);
  return { reader: await openFileStoreReader({ path }, options), losses, failures };
}

/** All that a store holds, with what was found on the way. */
export async function readStore(path: string, selection = ALL) {
  const { reader, losses, failures } = await openStore(path);
  return { workspace: await readWorkspace(reader, selection), losses, failures };
}

/** A place in memory; deleted runs and experiments too. */
export function memoryReader(workspace: Workspace, fingerprint = 'f'.repeat(16)): Reader {
  return {
    info: { kind: 'server', location: 'http://127.0.0.1:5000', fingerprint },
    traits: SERVER_TRAITS,
    async *experiments(selection) {
      for (const { experiment } of workspace) if (selectsExperiment(selection, experiment)) yield experiment;
    },
    async *runs({ experiment_id }, selection) {
      const runs = workspace.find(({ experiment }) => experiment.experiment_id === experiment_id)?.runs ?? [];
      for (const run of runs) if (selectsRun(selection, run.run)) yield memoryRunReader(run);
    },
    close: async () => undefined,
  };
}

/** Copies with the engine, as the command does. */
export async function copyTo(
  reader: Reader,
  to: string,
  more: { selection?: Selection; dryRun?: boolean } = {},
) {
  const { selection = ALL, dryRun = false } = more;
  const ledger = createLedger();
  const { options } = testOptions('/nowhere', {
    findings: ledger,
    dryRun,
    selection,
    source: reader.info,
    sourceTraits: reader.traits,
  });
  const writer = await openFileStoreWriter({ path: to }, options);
  const signal = options.signal;
  const result = await copy(reader, writer, {
    selection,
    concurrency: 8,
    rename: [],
    parts: ALL_PARTS,
    dryRun,
    signal,
    ledger,
  });
  return { ...result, ledger };
}

/** Copies a store into another. */
export async function copyStore(
  from: string,
  to: string,
  more: { selection?: Selection; dryRun?: boolean } = {},
) {
  const { reader } = await openStore(from);
  const result = await copyTo(reader, to, more);
  await reader.close();
  return result;
}

/** Writes a hand-made tree: path → content. */
export async function makeTree(
  root: string,
  files: Readonly<Record<string, string | Buffer>>,
): Promise<void> {
  for (const [path, content] of Object.entries(files)) {
    await mkdir(dirname(join(root, path)), { recursive: true });
    await writeFile(join(root, path), content);
  }
}

/** Every file below a directory with the sha256 of its bytes, and every empty directory. */
export async function treeOf(root: string): Promise<Record<string, string>> {
  const found: [string, string][] = [];
  for (const entry of await readdir(root, { recursive: true, withFileTypes: true })) {
    const path = join(entry.parentPath, entry.name);
    if (!entry.isFile()) continue;
    const chunks: Buffer[] = [];
    for await (const chunk of createReadStream(path)) chunks.push(Buffer.from(chunk));
    found.push([path.slice(root.length + 1), sha256(Buffer.concat(chunks))]);
  }
  return Object.fromEntries(found.sort());
}
