import { z } from 'zod';
import { toJsonSchema } from '../../kinds/json-schemas.ts';
import { type JsonSchema, writeSchemaFiles } from '../../kinds/schema-files.ts';
import { artifactList, gotArtifacts } from './artifacts.ts';
import { changeReport } from './change-report.ts';
import { comparison } from './comparison.ts';
import { copyReport } from './copy-report.ts';
import { explanation } from './explanation.ts';
import { jobSummary } from './job-summary.ts';
import { experimentList, modelList, placeList, runList } from './lists.ts';
import { exitStatus, stopped } from './parts.ts';
import { summary } from './summary.ts';
import { verifyReport } from './verify-report.ts';
import { view } from './views.ts';

/** What is printed with `--json`, and by which commands. */
export interface JsonReport {
  readonly schema: z.ZodType;
  readonly commands: readonly string[];
}

/** Every kind of what `--json` prints, by name. */
export const REPORTS: Readonly<Record<string, JsonReport>> = {
  report: { schema: copyReport, commands: ['copy', 'backup', 'restore', 'export', 'import'] },
  verification: { schema: verifyReport, commands: ['verify'] },
  summary: { schema: summary, commands: ['inspect'] },
  view: { schema: view, commands: ['show'] },
  comparison: { schema: comparison, commands: ['compare'] },
  change: {
    schema: changeReport,
    commands: [
      ...['delete', 'restore', 'move', 'tag', 'untag', 'rename'].map((command) => `runs ${command}`),
      ...['delete', 'restore', 'tag', 'rename'].map((command) => `experiments ${command}`),
      ...['delete', 'restore', 'tag', 'untag', 'transition', 'alias set', 'alias remove'].map(
        (command) => `models ${command}`,
      ),
    ],
  },
  run_list: { schema: runList, commands: ['runs list'] },
  experiment_list: { schema: experimentList, commands: ['experiments list'] },
  model_list: { schema: modelList, commands: ['models list', 'models show'] },
  artifact_list: { schema: artifactList, commands: ['artifacts ls'] },
  got_artifacts: { schema: gotArtifacts, commands: ['artifacts get'] },
  job: { schema: jobSummary, commands: ['jobs show', 'jobs forget'] },
  job_list: { schema: z.array(jobSummary), commands: ['jobs list', 'jobs prune'] },
  place_list: { schema: placeList, commands: ['place list'] },
  /** Of any command with `--explain`. */
  explanation: { schema: explanation, commands: [] },
  /** Of any command that ends before it has a report. */
  failure: { schema: z.strictObject({ error: stopped, exit_status: exitStatus }), commands: [] },
};

/** The JSON Schema of each. Later versions may have more fields, so none is excluded. */
export function reportSchemas(): Readonly<Record<string, JsonSchema>> {
  return Object.fromEntries(
    Object.entries(REPORTS).map(([name, { schema }]) => {
      const { $schema, ...body } = toJsonSchema(schema, { open: true });
      return [name, { $schema, $id: `urn:mlferry:report:${name}`, title: `mlferry ${name}`, ...body }];
    }),
  );
}

if (import.meta.main)
  writeSchemaFiles(new URL('../../../schemas/reports/', import.meta.url), reportSchemas());
