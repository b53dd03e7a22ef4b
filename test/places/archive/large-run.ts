/**
 * Writes one run of a size into an archive or stream, or reads it back, and prints seconds and the greatest memory of
 * this process: `node large-run.ts write|read FILE DIRECTORY POINTS ARTIFACT_MIB
 * [noise]`; with `noise` the artifact cannot be compressed.
 */
import { randomBytes } from 'node:crypto';
import { Readable } from 'node:stream';
import { pointsOf } from '../../../src/model/points.ts';
import { ALL_ACTIVE } from '../../../src/model/selection.ts';
import { openReader, openWriter } from '../../../src/places/open.ts';
import type { RunReader } from '../../../src/places/place.ts';
import { makeExperiment, makeRun, readerOptions, testOptions } from '../memory-workspace.ts';

const [verb, path = '', directory = '', points = '0', mebibytes = '0', noise = ''] = process.argv.slice(2);
const MEBIBYTE = 2 ** 20;
const size = Number(mebibytes) * MEBIBYTE;

async function* body() {
  for (let i = 0; i < size; i += MEBIBYTE) {
    const piece = noise === '' ? Buffer.alloc(MEBIBYTE, `${i} the text of a model\n`) : randomBytes(MEBIBYTE);
    yield piece;
  }
}

async function source(): Promise<RunReader> {
  const { run } = await makeRun();
  return {
    run,
    metrics: async function* () {
      for (let i = 0; i < Number(points); i += 1000) {
        const piece = Array.from({ length: 1000 }, (_, j): [number, number, number] => [
          i + j,
          1.7e12 + i + j,
          Math.sin(i + j),
        ]);
        yield { key: 'loss', points: pointsOf(piece) };
      }
    },
    artifacts: async function* () {
      if (size > 0) yield { path: 'model.bin', size };
    },
    open: async () => Readable.from(body(), { objectMode: false }),
  };
}

async function write(): Promise<void> {
  const { options } = testOptions(directory, { artifactsDir: `${directory}/blobs`, overwrite: true });
  const writer = await openWriter(path, options);
  const experiment = await writer.experiment(makeExperiment(), 'large');
  const run = await source();
  await writer.run(run, { experiment, origin: 'f/1', digest: '', remap: () => run.run });
  await writer.finish();
}

async function read(): Promise<void> {
  const { options } = readerOptions(directory, { artifactsDir: `${directory}/blobs` });
  const reader = await openReader(path, options);
  const found = { points: 0, bytes: 0 };
  for await (const experiment of reader.experiments(ALL_ACTIVE)) {
    for await (const run of reader.runs(experiment, ALL_ACTIVE)) {
      for await (const piece of run.metrics()) found.points += piece.points.length;
      for await (const artifact of run.artifacts()) {
        for await (const chunk of (await run.open(artifact)) ?? []) found.bytes += chunk.length;
      }
    }
  }
  await reader.close();
  if (found.points !== Number(points) || found.bytes !== size)
    throw new Error(`read ${JSON.stringify(found)}`);
}

const started = performance.now();
await (verb === 'write' ? write() : read());
const seconds = (performance.now() - started) / 1000;
process.stdout.write(`${JSON.stringify({ seconds, rss_mib: process.resourceUsage().maxRSS / 1024 })}\n`);
