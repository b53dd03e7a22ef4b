import type { Command } from 'commander';
import { archive as archivePlace } from '../places/archive/index.ts';
import type { Io } from './io.ts';
import { addTransferOptions } from './options.ts';
import { addTlsOptions } from './place-options.ts';
import { requirePlace } from './require-place.ts';

/** `mlferry backup FROM ARCHIVE`. */
export function addBackupCommand(program: Command, io: Io): void {
  const command = program
    .command('backup')
    .description('write experiments and runs to an archive')
    .argument('<from>', 'place to read')
    .argument('<archive>', 'file to write: *.tar, *.tar.gz, *.tgz or *.tar.zst')
    .action(async (from: string, archive: string, values: unknown) => {
      requirePlace(archive, archivePlace);
      const { runCopy } = await import('./run-copy.ts');
      return runCopy(from, archive, values, io);
    })
    .addHelpText(
      'after',
      `
Examples
  mlferry backup http://localhost:5000 backup.tar
  mlferry backup ./mlruns backup.tar.zst --view all
  mlferry backup http://localhost:5000 churn.tar -e churn --no-artifacts
  mlferry backup http://localhost:5000 good.tar --filter "metrics.auc > 0.9 AND tags.stage = 'prod'"
`,
    );
  addTransferOptions(command, { assignsIds: false, writesFile: true, stream: false, readsStream: true });
  addTlsOptions(command, 'from');
}
