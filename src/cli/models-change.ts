import { type Command, Option } from 'commander';
import { MODEL_STAGES } from '../model/mlflow/model-stages.ts';
import { changeCommand } from './change-command.ts';
import type { Io } from './io.ts';
import { addChangeOptions } from './manage-options.ts';
import { addModelChoiceOptions } from './model-choice-options.ts';

/** What the commands that change models do, loaded when one is run. */
const actions = () => import('./run-models-change.ts');

/** The commands of `mlferry models` that change a place. */
export function addModelsChangeCommands(models: Command, io: Io): void {
  addTag(models, io);
  addUntag(models, io);
  addAlias(models, io);
  addTransition(models, io);
  addDelete(models, io);
  addRestore(models, io);
}

function addTag(models: Command, io: Io): void {
  const command = changeCommand(models, 'tag', 'set tags of registered models, versions or logged models', [
    "mlferry models tag http://localhost:5000 team=churn --registered-model 'churn-*'",
    'mlferry models tag ./mlruns checked=yes --registered-model churn@champion --yes',
    'mlferry models tag http://localhost:5000 old=yes --model-filter "metrics.auc < 0.5" -e churn',
  ])
    .argument('<tags...>', 'KEY=VALUE')
    .action(async (place: string, pairs: string[], values: unknown) =>
      (await actions()).modelsTag(place, pairs, values, io),
    );
  addChangeOptions(addModelChoiceOptions(command, true));
}

function addUntag(models: Command, io: Io): void {
  const command = changeCommand(
    models,
    'untag',
    'remove tags of registered models, versions or logged models',
    ["mlferry models untag http://localhost:5000 checked --registered-model 'churn-*' --versions"],
  )
    .argument('<keys...>', 'keys of the tags')
    .action(async (place: string, keys: string[], values: unknown) =>
      (await actions()).modelsUntag(place, keys, values, io),
    );
  addChangeOptions(addModelChoiceOptions(command, true));
}

function addAlias(models: Command, io: Io): void {
  const alias = models
    .command('alias')
    .description('set and remove aliases of registered models and prompts')
    .addHelpText(
      'after',
      `
Examples
  mlferry models alias set http://localhost:5000 champion --registered-model 'churn-*/latest'
  mlferry models alias remove ./mlruns old older --registered-model churn
`,
    );
  const set = changeCommand(alias, 'set', 'point an alias to a version of each chosen registered model', [
    'mlferry models alias set http://localhost:5000 champion --registered-model churn/7',
    "mlferry models alias set http://localhost:5000 champion --registered-model '*/latest' --yes",
    'mlferry models alias set ./mlruns previous --registered-model churn@champion',
  ])
    .argument('<alias>', 'its name')
    .action(async (place: string, name: string, values: unknown) =>
      (await actions()).modelsAliasSet(place, name, values, io),
    );
  addChangeOptions(addModelChoiceOptions(set, false));
  const remove = changeCommand(
    alias,
    'remove',
    'remove aliases of registered models, or of chosen versions',
    [
      "mlferry models alias remove http://localhost:5000 champion --registered-model 'churn-*'",
      'mlferry models alias remove ./mlruns old --registered-model churn/1 --yes',
    ],
  )
    .argument('<aliases...>', 'their names')
    .action(async (place: string, names: string[], values: unknown) =>
      (await actions()).modelsAliasRemove(place, names, values, io),
    );
  addChangeOptions(addModelChoiceOptions(remove, false));
}

function addTransition(models: Command, io: Io): void {
  const command = changeCommand(models, 'transition', 'bring versions of registered models to a stage', [
    'mlferry models transition http://localhost:5000 --stage Production --registered-model churn/7 --archive-existing',
    'mlferry models transition ./mlruns --stage Archived --model-version-filter "stage = \'Staging\'" --dry-run',
  ])
    .addOption(new Option('--stage <stage>', 'which').choices(MODEL_STAGES).makeOptionMandatory())
    .option('--archive-existing', 'archive the versions that are in that stage now (Staging, Production)')
    .action(async (place: string, values: unknown) => (await actions()).modelsTransition(place, values, io));
  addChangeOptions(addModelChoiceOptions(command, false));
}

function addDelete(models: Command, io: Io): void {
  const command = changeCommand(
    models,
    'delete',
    'delete registered models with their versions, versions, or logged models',
    [
      "mlferry models delete http://localhost:5000 --registered-model 'scratch-*' --dry-run",
      'mlferry models delete http://localhost:5000 --registered-model churn/1 --permanently',
      'mlferry models delete ./mlruns --model-filter "metrics.auc < 0.5" -e churn --yes',
      'mlferry models restore ./mlruns --from-undo undo.ndjson --yes',
    ],
  )
    .option('--permanently', 'also what this place itself keeps nothing of')
    .action(async (place: string, values: unknown) => (await actions()).modelsDelete(place, values, io));
  addChangeOptions(addModelChoiceOptions(command, true));
}

function addRestore(models: Command, io: Io): void {
  const command = changeCommand(models, 'restore', 'put back what an undo file holds', [
    'mlferry models restore http://localhost:5000 --from-undo undo.ndjson --yes',
  ])
    .requiredOption('--from-undo <file>', 'the undo file')
    .action(async (place: string, values: unknown) => (await actions()).modelsRestore(place, values, io));
  addChangeOptions(command);
}
