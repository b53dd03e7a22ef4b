import type { Command } from 'commander';
import type { Io } from './io.ts';
import { addTransferOptions } from './options.ts';
import { addTlsOptions } from './place-options.ts';

/** `mlferry copy FROM TO`: any place to any place. */
export function addCopyCommand(program: Command, io: Io): void {
  const command = program
    .command('copy')
    .description('copy experiments and runs from one place to another; again sends only what is new')
    .argument('<from>', 'place to read')
    .argument('<to>', 'place to write')
    .action(async (from: string, to: string, values: unknown) => {
      const { runCopy } = await import('./run-copy.ts');
      return runCopy(from, to, values, io);
    })
    .addHelpText(
      'after',
      `
Examples
  mlferry copy http://old:5000 https://new.example.com
  mlferry copy ./mlruns http://localhost:5000 --dry-run
  mlferry copy ./mlruns sqlite:///mlflow.db --init
  mlferry copy http://a:5000 'http://b:5000?workspace=team' -e 'churn-*' --rename '/Users/a/*=/Shared/a/*'
  mlferry copy http://a:5000 http://b:5000 --run 8f0c3a --into rescued --id-map ids.ndjson
  mlferry copy http://a:5000 http://b:5000 --filter "metrics.r2 > 0.3 AND params.model = 'tree'"
  mlferry copy http://a:5000 http://b:5000 --mirror --dry-run
  mlferry copy ./mlruns postgresql://db/mlflow --shard 2/8
  mlferry copy ./mlruns postgresql://db/mlflow --finish
  mlferry copy http://a:5000 http://b:5000 --order-by 'metrics.r2 DESC' --max-runs 10
  mlferry copy http://a:5000 http://b:5000 --filter 'MIN(metrics.rmse) <= 1' --explain
`,
    );
  addTransferOptions(command, { assignsIds: true, writesFile: true, stream: true, readsStream: true });
  command
    .option(
      '--shard <i/n>',
      'only this part of the runs, of n: 2/8, or auto in an array of jobs (docs/many-machines.md)',
    )
    .option(
      '--finish',
      'the last step when all shards are there: links between them, and all that is no run',
    );
  addTlsOptions(command, 'from');
  addTlsOptions(command, 'to');
}
