import { mkdtemp } from 'node:fs/promises';
import { parseLocation } from '../../../src/places/location.ts';
import { openServerWriter } from '../../../src/places/server/writer.ts';
import { memoryExperiment, memoryRun, targetOf, writerOptions } from './memory-source.ts';
const place = parseLocation(process.argv[2] ?? '');
if (place.kind !== 'server') throw new Error();
const options = writerOptions(await mkdtemp('/tmp/tgt/dev/t-'));
const name = `dev ${Date.now()}`;
const source = memoryRun({
  run: { run_id: 'src1', params: { a: 'b', long: 'x'.repeat(7000), 'bad@k': 'v' , nul: 'a\0b', sur: 'a\ud800'}, tags: { t: 'ü'.repeat(9000), 'odd@key': 'kept' , 'mlflow.runName': 'a run'}, dataset_inputs: [{ dataset: { name: 'd', digest: 'x', source_type: 'local', source: '{}', schema: '{}' }, tags: { 'mlflow.data.context': 'train' } }] },
  metrics: [['bad@metric', [[1, 1, 2]]], ['inf', [[0, 1, 'Infinity'], [1, 2, '-Infinity'], [2, 3, 'NaN'], [2, 3, 'NaN'], [3, 4, -0], ['9223372036854775807', 5, 1e-320], [-5, -3, 2]]], ['m', Array.from({ length: 2500 }, (_, i) => [i, i * 10, i / 7] as [number, number, number])]],
  artifacts: [['a.txt', 'hello'], ['dir/sub/ü %41#.txt', 'odd'], ['empty', ''], ['lost', undefined]],
});
for (const pass of [1, 2]) {
  const writer = await openServerWriter(place, options);
  const target = await writer.experiment(memoryExperiment({ tags: { 'mlflow.note.content': 'n'.repeat(21000) } }), name);
  const t = targetOf(source, target);
  console.log(pass, target, await writer.isCurrent(source.run, target, t.digest ?? ''));
  if (pass === 1) console.log(await writer.run(source, t));
  await writer.settle({ tags: [], deleted_runs: [], deleted_experiments: [] });
  await writer.finish();
}
console.log(JSON.stringify(options.findings, null, 1));
