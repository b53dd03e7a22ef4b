// Copies runs from one place to another, with progress, and says what became of them.
//   node samples/library/copy.ts samples/mlruns /tmp/copied.tar

import { copy, MlferryError, verify } from 'mlferry';

const [from = 'samples/mlruns', to = 'copied.tar'] = process.argv.slice(2);

try {
  const { report } = await copy(from, to, {
    selection: { experiments: ['wine-*'], view: 'all' },
    onProgress: ({ experiment, runs, points }) => {
      process.stderr.write(`\r${experiment}: ${runs.done} of ${runs.seen} runs, ${points} points`);
    },
  });
  console.log(`\n${report.runs.created} runs, ${report.sent.points} points, ${report.losses.length} losses`);
  for (const { object, message, hint } of report.failures) console.log(`${object}: ${message}. ${hint}`);

  const verification = await verify(from, to, { selection: { experiments: ['wine-*'], view: 'all' } });
  console.log(verification.exit_status === 0 ? 'the same' : verification.items);
} catch (error) {
  // What stops a job has a stable code, and says what to do.
  if (!(error instanceof MlferryError)) throw error;
  console.error(`${error.code}: ${error.message}. ${error.hint}`);
  process.exitCode = error.meaning.exit;
}
