// What files the runs of a place have, read through its own reader.
//   node samples/library/files.ts samples/mlruns

import { openReader, type Selection } from 'mlferry';

const [place = 'samples/mlruns'] = process.argv.slice(2);
const everything: Selection = { experiments: [], runs: [], view: 'all' };

const reader = await openReader(place);
try {
  console.log(`${reader.info.kind} ${reader.info.location}`);
  for await (const experiment of reader.experiments(everything))
    for await (const run of reader.runs(experiment, everything))
      for await (const file of run.artifacts()) {
        let bytes = 0;
        for await (const chunk of (await run.open(file)) ?? []) bytes += chunk.length;
        console.log(`${experiment.name}/${run.run.run_name}/${file.path} ${bytes} bytes`);
      }
  for (const { object, message } of reader.failures) console.log(`${object}: ${message}`);
} finally {
  await reader.close();
}
