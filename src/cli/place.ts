import type { Command } from 'commander';
import type { Io } from './io.ts';

/** What the commands do, loaded when one is run. */
const actions = () => import('./run-place.ts');

/** `mlferry place add|list|remove`. */
export function addPlaceCommand(program: Command, io: Io): void {
  const group = program
    .command('place')
    .description('give places names that stand for their locations in every command')
    .addHelpText(
      'after',
      `
Examples
  mlferry place add prod https://mlflow.example.com --ca /etc/ssl/own.pem
  mlferry place list
  mlferry backup prod prod.tar
`,
    );
  group
    .command('add')
    .description('name a place; credentials are not kept')
    .argument('<name>', 'letters, digits, _, . and -')
    .argument('<location>', 'what it stands for: any place')
    .option('--ca <file>', 'certificate authority of the server (PEM)')
    .option('--client-cert <file>', 'client certificate and key for the server (PEM)')
    .option('--insecure', "do not check the server's certificate")
    .option('--overwrite', 'let the name stand for another place than before')
    .action(async (name: string, location: string, values: unknown) =>
      (await actions()).placeAdd(name, location, values, io),
    )
    .addHelpText(
      'after',
      `
Examples
  mlferry place add prod https://mlflow.example.com --ca /etc/ssl/own.pem
  mlferry place add local ./mlruns
`,
    );
  group
    .command('list')
    .description('all named places')
    .option('--json', 'print one JSON array')
    .action(async (values: unknown) => (await actions()).placeList(values, io));
  group
    .command('remove')
    .description('forget a name; the place itself stays as it is')
    .argument('<name>', 'a named place')
    .action(async (name: string) => (await actions()).placeRemove(name, io));
}
