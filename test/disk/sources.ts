import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { openFileStoreWriter } from '../../src/places/filestore/write/writer.ts';
import {
  makeExperiment,
  makeRun,
  testOptions,
  type Workspace,
  writeWorkspace,
} from '../places/memory-workspace.ts';

/** Bytes that do not compress, other ones for each seed. */
export function noise(length: number, seed: number): Buffer {
  const bytes = Buffer.alloc(length);
  let state = seed + 1;
  for (let i = 0; i < length; i++) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    bytes[i] = state >>> 24;
  }
  return bytes;
}

const id = (experiment: number, run: number) => `${experiment}${run}`.padStart(32, '0');

/**
 * Three experiments, one of them empty: short runs with artifacts (shared, empty, one that needs a spool file), and
 * `points` points in each of three runs.
 */
export async function smallWorkspace(points: number): Promise<Workspace> {
  const shared = noise(3000, 7);
  const short = await Promise.all(
    [1, 2, 3].map((n) =>
      makeRun(
        { run_id: id(1, n), start_time: n, params: { lr: `0.${n}` }, tags: { note: `run ${n}` } },
        [
          [
            'loss',
            [
              [0, n, 0.5],
              [1, n, 0.25],
            ],
          ],
        ],
        [
          ['empty', Buffer.alloc(0)],
          ['model/shared.bin', shared],
          ['own.bin', noise(n === 2 ? 700_000 : 900 * n, n)],
          ['text.txt', Buffer.alloc(5000, `text of ${n}\n`)],
        ],
      ),
    ),
  );
  const long = await Promise.all(
    [1, 2, 3].map((n) => {
      const series = Array.from({ length: points }, (_, i): [number, number, number] => [
        i,
        1.7e12 + i,
        Math.sin(i * n),
      ]);
      return makeRun({ run_id: id(2, n), experiment_id: '2', start_time: n }, [['series', series]]);
    }),
  );
  return [
    { experiment: makeExperiment({ experiment_id: '1', name: 'short', creation_time: 1 }), runs: short },
    { experiment: makeExperiment({ experiment_id: '2', name: 'long', creation_time: 2 }), runs: long },
    { experiment: makeExperiment({ experiment_id: '3', name: 'none', creation_time: 3 }), runs: [] },
  ];
}

/** Writes a workspace as an `mlruns` directory below `parent`; its path. */
export async function storeOf(workspace: Workspace, parent: string): Promise<string> {
  const path = join(parent, 'mlruns');
  await mkdir(parent, { recursive: true });
  await writeWorkspace(workspace, await openFileStoreWriter({ path }, testOptions(parent).options));
  return path;
}
