import { type Command, InvalidArgumentError } from 'commander';
import type { Io } from './io.ts';
import { addPlaceOptions } from './manage-options.ts';
import { addAllowEditedOption, addArtifactsDirOption, addDirectoryOptions } from './place-options.ts';
import { ANY_PLACE, placeToRead } from './place-to-read.ts';
import { collect } from './selection-options.ts';

/** `mlferry serve PLACE`. */
export function addServeCommand(program: Command, io: Io): void {
  const command = program
    .command('serve')
    .description('serve any place, read only, as an MLflow tracking server')
    .argument('[place]', ANY_PLACE)
    .option('--port <port>', 'where to listen; 0: any port that is free', portNumber, 5001)
    .option(
      '--host <host>',
      'address to listen on; others than this machine reach it only where told',
      '127.0.0.1',
    )
    .option(
      '--token [token]',
      'ask every request for a token: this one, that of MLFERRY_SERVE_TOKEN, or a new one that is printed',
    )
    .option(
      '--ui <path>',
      'an environment or package of MLflow whose pages are served below /ui/ (default: the installed one)',
    )
    .option('--no-ui', 'none of the pages of MLflow')
    .option('--allowed-host <name>', 'a further name by which it may be called (repeatable)', collect, [])
    .action(async (given: string | undefined, values: unknown) => {
      const place = placeToRead(given, io);
      const { runServe } = await import('./run-serve.ts');
      return runServe(place, values, io);
    })
    .addHelpText(
      'after',
      `
Examples
  mlferry serve backup.tar
  mlferry serve ./mlruns --port 8080
  mlferry serve backup.tar --host 0.0.0.0 --allowed-host runs.example.com --token
`,
    );
  addPlaceOptions(addDirectoryOptions(addAllowEditedOption(addArtifactsDirOption(command))));
}

function portNumber(text: string): number {
  const port = Number(text);
  if (!/^\d{1,5}$/.test(text) || port > 65_535) throw new InvalidArgumentError('It is no number of a port.');
  return port;
}
