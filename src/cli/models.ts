import type { Command } from 'commander';
import type { Io } from './io.ts';
import { addPlaceOptions } from './manage-options.ts';
import { addModelsChangeCommands } from './models-change.ts';
import { addIdentityOption } from './place-options.ts';
import { ANY_PLACE, placeToRead } from './place-to-read.ts';
import { collect } from './selection-options.ts';

/** What the commands do, loaded when one is run. */
const actions = () => import('./run-models.ts');

/** `mlferry models …`: the registered models, prompts and logged models of a place, read and changed in place. */
export function addModelsCommand(program: Command, io: Io): void {
  const models = program
    .command('models')
    .description(
      'list, show, tag, alias, stage and delete the registered models, prompts and logged models of a place',
    )
    .addHelpText(
      'after',
      `
Examples
  mlferry models list http://localhost:5000
  mlferry models show backup.tar churn@champion
  mlferry models alias set http://localhost:5000 champion --registered-model churn/latest
`,
    );
  addList(models, io);
  addShow(models, io);
  addModelsChangeCommands(models, io);
}

function addList(models: Command, io: Io): void {
  const command = models
    .command('list')
    .description('list registered models and prompts with their versions, as a table or as JSON')
    .argument('[place]', ANY_PLACE)
    .option(
      '--registered-model <name>',
      'only this one: a name or glob, with @alias, /3 or /latest (repeatable)',
      collect,
      [],
    )
    .option('--registered-model-filter <expression>', 'only those that fit: "tags.team = \'churn\'"')
    .option('--model-version-filter <expression>', 'only versions that fit: "stage = \'Production\'"')
    .option('--json', 'print one JSON array')
    .option('--ndjson', 'print one JSON object a line')
    .action(async (given: string | undefined, values: unknown) => {
      const place = placeToRead(given, io);
      return (await actions()).modelsList(place, values, io);
    })
    .addHelpText(
      'after',
      `
Examples
  mlferry models list http://localhost:5000 --registered-model 'churn-*'
  mlferry models list ./mlruns --model-version-filter "alias = 'champion' OR stage = 'Production'"
  mlferry models list backup.tar --ndjson
`,
    );
  addIdentityOption(addPlaceOptions(command));
}

function addShow(models: Command, io: Io): void {
  const command = models
    .command('show')
    .description('show one registered model or prompt: its versions, their aliases, stages, sources, tags')
    .argument('<place>', 'any place')
    .argument('<name>', 'its name, or one version: NAME@alias, NAME/3, NAME/latest')
    .option('--json', 'print one JSON array')
    .action(async (place: string, name: string, values: unknown) =>
      (await actions()).modelsShow(placeToRead(place, io), name, values, io),
    )
    .addHelpText(
      'after',
      `
Examples
  mlferry models show http://localhost:5000 churn
  mlferry models show ./mlruns churn/latest --json
`,
    );
  addIdentityOption(addPlaceOptions(command));
}
