import type { Command } from 'commander';
import { stream as streamPlace } from '../places/stream/index.ts';
import type { Io } from './io.ts';
import { addTransferOptions } from './options.ts';
import { addTlsOptions } from './place-options.ts';
import { requirePlace } from './require-place.ts';

/** `mlferry import STREAM TO`. */
export function addImportCommand(program: Command, io: Io): void {
  const command = program
    .command('import')
    .description(
      'write the experiments and runs of an NDJSON stream to a place; the stream is checked whole first',
    )
    .argument('<stream>', 'stream to read: *.ndjson, *.ndjson.gz, *.ndjson.zst, or - for stdin')
    .argument('<to>', 'place to write')
    .action(async (stream: string, to: string, values: unknown) => {
      requirePlace(stream, streamPlace);
      const { runCopy } = await import('./run-copy.ts');
      return runCopy(stream, to, values, io);
    })
    .addHelpText(
      'after',
      `
Examples
  mlferry import runs.ndjson.zst http://localhost:5000 --artifacts-dir artifacts
  mlferry export http://a:5000 - | ssh host mlferry import - http://localhost:5000
  mlferry export http://a:5000 - | jq -c 'del(.tags.secret?)' | mlferry import - ./mlruns --allow-edited
`,
    );
  addTransferOptions(command, { assignsIds: true, writesFile: false, stream: true, readsStream: true });
  addTlsOptions(command, 'to');
}
