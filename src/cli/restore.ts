import type { Command } from 'commander';
import { archive as archivePlace } from '../places/archive/index.ts';
import type { Io } from './io.ts';
import { addTransferOptions } from './options.ts';
import { mustBeNoTerminal } from './pipe.ts';
import { addTlsOptions } from './place-options.ts';
import { requirePlace } from './require-place.ts';

/** `mlferry restore ARCHIVE TO`. */
export function addRestoreCommand(program: Command, io: Io): void {
  const command = program
    .command('restore')
    .description(
      'write the experiments and runs of an archive to a place; the archive is checked whole first',
    )
    .argument('<archive>', 'archive to read, or - for stdin')
    .argument('<to>', 'place to write')
    .action(async (archive: string, to: string, values: unknown) => {
      const place = archive === '-' ? (archivePlace.inPipe?.location ?? archive) : archive;
      requirePlace(place, archivePlace);
      if (archive === '-') mustBeNoTerminal(io.stdin, 'stdin');
      const { runCopy } = await import('./run-copy.ts');
      return runCopy(place, to, values, io);
    })
    .addHelpText(
      'after',
      `
Examples
  mlferry restore backup.tar http://localhost:5000
  mlferry restore backup.tar ./restored-mlruns --view all
  mlferry restore backup.tar http://localhost:5000 -e churn --rename 'churn=churn-2026'
  ssh vault cat backup.tar.zst | mlferry restore - http://localhost:5000
  mlferry restore backup.tar.zst.age http://localhost:5000 --identity key.txt
`,
    );
  addTransferOptions(command, { assignsIds: true, writesFile: false, stream: false, readsStream: false });
  addTlsOptions(command, 'to');
}
