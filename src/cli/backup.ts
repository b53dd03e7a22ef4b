import { type Command, Option } from 'commander';
import { archive as archivePlace } from '../places/archive/index.ts';
import type { Io } from './io.ts';
import { addTransferOptions } from './options.ts';
import { mustBeNoTerminal } from './pipe.ts';
import { addTlsOptions } from './place-options.ts';
import { requirePlace } from './require-place.ts';

/** `mlferry backup FROM ARCHIVE`. */
export function addBackupCommand(program: Command, io: Io): void {
  const command = program
    .command('backup')
    .description('write experiments and runs to an archive')
    .argument('<from>', 'place to read')
    .argument('<archive>', 'file to write: *.tar, *.tar.gz, *.tgz or *.tar.zst, or - for stdout')
    .addOption(
      new Option('--compress <how>', 'how the archive is compressed that goes to stdout').choices([
        'gzip',
        'zstd',
      ]),
    )
    .action(async (from: string, archive: string, values: unknown) => {
      const { backupPlace } = await import('./backup-place.ts');
      const place = backupPlace(archive, values);
      requirePlace(place, archivePlace);
      if (archive === '-') mustBeNoTerminal(io.stdout, 'stdout');
      const { runCopy } = await import('./run-copy.ts');
      return runCopy(from, place, values, io);
    })
    .addHelpText(
      'after',
      `
Examples
  mlferry backup http://localhost:5000 backup.tar
  mlferry backup ./mlruns backup.tar.zst --view all
  mlferry backup http://localhost:5000 churn.tar -e churn --no-artifacts
  mlferry backup http://localhost:5000 good.tar --filter "metrics.auc > 0.9 AND tags.stage = 'prod'"
  mlferry backup http://localhost:5000 - --compress zstd | ssh vault 'cat > backup.tar.zst'
  mlferry backup http://localhost:5000 backup.tar.zst.age --recipients-file recipients.txt
`,
    );
  addTransferOptions(command, { assignsIds: false, writesFile: true, stream: false, readsStream: true });
  addTlsOptions(command, 'from');
}
