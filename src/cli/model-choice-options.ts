import type { Command } from 'commander';
import { addExperimentOptions, collect } from './selection-options.ts';

/** What a command is about: registered models and their versions, or with `logged` logged models as well. */
export function addModelChoiceOptions(command: Command, logged: boolean): Command {
  command
    .option(
      '--registered-model <name>',
      'this registered model: a name or glob; with @alias, /3 or /latest that version (repeatable)',
      collect,
      [],
    )
    .option(
      '--registered-model-filter <expression>',
      'only registered models that fit: "tags.team = \'churn\'"',
    )
    .option(
      '--model-version-filter <expression>',
      'versions that fit, and not their registered models: "stage = \'Staging\'"',
    )
    .option('--versions', 'all versions of the chosen registered models, and not these themselves')
    .option('--prompts', 'prompts too, where a glob or a filter chooses');
  if (!logged) return command;
  command
    .option(
      '--logged-model <id>',
      'this logged model: its id, or a name or glob of names (repeatable)',
      collect,
      [],
    )
    .option('--model-filter <expression>', 'logged models that fit: "metrics.auc < 0.5"');
  return addExperimentOptions(command);
}
