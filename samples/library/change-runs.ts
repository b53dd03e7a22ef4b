// Deletes runs softly, after a look at what it would be; the undo file puts them back.
//   node samples/library/change-runs.ts ./mlruns undo.ndjson

import { deleteRuns, undo } from 'mlferry';

const [place, undoFile] = process.argv.slice(2);
if (place === undefined || undoFile === undefined) throw new Error('which place, which undo file?');

const report = await deleteRuns(place, {
  selection: {
    experiments: ['wine-*'],
    filter: `status = 'FAILED' OR metrics."val/accuracy" < 0.5`,
  },
  undoFile,
  confirm: async ({ total, experiments }) => {
    console.log(`${total} runs of ${experiments.map(({ name }) => name).join(', ')}`);
    return total < 100;
  },
});
console.log(`deleted ${report.changed}, failed ${report.failed}`);

const back = await undo(place, undoFile, {});
console.log(`put back ${back.changed}`);
