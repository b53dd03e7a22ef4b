import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { openArchiveWriter } from '../../../src/places/archive/writer.ts';
import type { Input } from '../../../src/places/record-files/input-file.ts';
import { makeExperiment, makeRun, testOptions, type Workspace, writeWorkspace } from '../memory-workspace.ts';

/** A workspace of one run with metrics and a raw, a compressed and an empty artifact. */
export async function smallWorkspace(): Promise<Workspace> {
  const points = Array.from({ length: 20 }, (_, i): [number, number, number] => [i, 1.7e12 + i, i / 7]);
  const run = await makeRun(
    { params: { lr: '0.1' }, tags: { note: 'ünï' } },
    [['loss', points]],
    [
      ['noise', Buffer.from([7, 200, 13, 55, 91, 130, 2])],
      ['text', Buffer.alloc(4000, 'text ')],
      ['void', Buffer.alloc(0)],
    ],
  );
  return [{ experiment: makeExperiment(), runs: [run] }];
}

/** The bytes of the archive of {@link smallWorkspace}. */
export async function smallArchive(dir: string): Promise<Buffer> {
  const path = join(dir, 'small.tar');
  const writer = await openArchiveWriter({ path, compression: 'none' }, testOptions(dir).options);
  await writeWorkspace(await smallWorkspace(), writer);
  return readFile(path);
}

/** Bytes in memory as an input. */
export function memoryInput(bytes: Uint8Array): Input {
  return {
    size: bytes.length,
    read: async function* (start, end) {
      yield bytes.subarray(start, end);
    },
    close: async () => undefined,
  };
}
