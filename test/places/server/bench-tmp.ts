import { mkdtemp } from 'node:fs/promises';
import { parseLocation } from '../../../src/places/location.ts';
import { openServerWriter } from '../../../src/places/server/writer.ts';
import { mapConcurrent } from '../../../src/util/map-concurrent.ts';
import type { Point } from '../../../src/model/records.ts';
import { memoryExperiment, memoryRun, targetOf, writerOptions } from './memory-source.ts';
const place = parseLocation(process.argv[2] ?? '');
if (place.kind !== 'server') throw new Error();
const options = writerOptions(await mkdtemp('/tmp/tgt/dev/t-'));
const name = `bench ${Date.now()}`;
const writer = await openServerWriter(place, options);
const target = await writer.experiment(memoryExperiment({}), name);
const started = performance.now();
if (process.argv[3] === 'million') {
  const source = memoryRun({ run: { run_id: 'big', latest_metrics: { m: [999_999, 9_999_990, 1] } } });
  const big = { ...source, async *metrics() { for (let at = 0; at < 1_000_000; at += 1000) yield { key: 'm', points: Array.from({ length: 1000 }, (_, i): Point => [at + i, (at + i) * 10, (at + i) / 7]) }; } };
  console.log(await writer.run(big, targetOf(source, target)));
} else {
  const runs = Array.from({ length: 200 }, (_, r) => memoryRun({
    run: { run_id: `b${r}`, params: Object.fromEntries(Array.from({ length: 20 }, (_, i) => [`p${i}`, `v${i}`])), tags: Object.fromEntries(Array.from({ length: 10 }, (_, i) => [`t${i}`, `v${i}`])) },
    metrics: Array.from({ length: 20 }, (_, k) => [`k${k}`, Array.from({ length: 100 }, (_, i): Point => [i, 1_700_000_000_000 + i, i / 7 + r])] as const),
    artifacts: Array.from({ length: 5 }, (_, i) => [`f${i}.txt`, `content ${i} `.repeat(50)] as const),
  }));
  await mapConcurrent(runs, 8, async (source) => { await writer.run(source, targetOf(source, target)); });
}
const wrote = (performance.now() - started) / 1000;
await writer.settle({ tags: [], deleted_runs: [], deleted_experiments: [] });
await writer.finish();
console.log({ wrote, total: (performance.now() - started) / 1000, maxRssMB: process.resourceUsage().maxRSS / 1024, requests: 'requests' in writer ? writer.requests : undefined });
console.log(JSON.stringify(options.findings));
