import type { Command } from 'commander';
import { stream as streamPlace } from '../places/stream/index.ts';
import type { Io } from './io.ts';
import { addTransferOptions } from './options.ts';
import { addTlsOptions } from './place-options.ts';
import { requirePlace } from './require-place.ts';

/** `mlferry export FROM [STREAM]`. */
export function addExportCommand(program: Command, io: Io): void {
  const command = program
    .command('export')
    .description('write experiments and runs as NDJSON lines')
    .argument('<from>', 'place to read')
    .argument('[stream]', 'file to write: *.ndjson, *.ndjson.gz, *.ndjson.zst, or - for stdout', '-')
    .action(async (from: string, stream: string, values: unknown) => {
      requirePlace(stream, streamPlace);
      const { runCopy } = await import('./run-copy.ts');
      return runCopy(from, stream, values, io);
    })
    .addHelpText(
      'after',
      `
Examples
  mlferry export http://localhost:5000 runs.ndjson.zst --artifacts-dir artifacts
  mlferry export ./mlruns - | jq -r 'select(.kind == "run") | .run_name'
  mlferry export http://localhost:5000 - --filter "status = 'FAILED'" --no-artifacts
`,
    );
  addTransferOptions(command, { assignsIds: false, writesFile: true, stream: true, readsStream: true });
  addTlsOptions(command, 'from');
}
