import { z } from 'zod';
import { type Int64, int64Answer } from '../../model/int64.ts';
import { MODEL_STAGES } from '../../model/mlflow/model-stages.ts';
import { PROMPT_TAG } from '../../model/mlflow/tags.ts';
import { parseTypedJson, printTypedJson } from '../../model/typed-json.ts';
import { checked, defined, exportTags, readExportFile, textOrNone } from './export-file.ts';
import type { ExportedVersion } from './registry-files.ts';

/** Tags of a version in which MLflow keeps what a prompt is (mlflow/prompt/constants.py). */
const TEXT_TAG = 'mlflow.prompt.text';
const TYPE_TAG = '_mlflow_prompt_type';
/** MLflow's source of all versions of prompts (`register_prompt` in mlflow/tracking/client.py). */
const SOURCE = 'dummy-source';

/** Whether a tag of a version is none of the prompt as a whole. */
export const isVersionTag = (key: string) => key === TEXT_TAG || key === TYPE_TAG;

const time = int64Answer.nullish().transform((ms): Int64 => ms ?? 0);

const promptFile = z.object({
  prompt: z.object({
    name: z.string().min(1),
    version: z
      .union([z.string(), z.int()])
      .transform(String)
      .pipe(z.string().regex(/^[1-9]\d{0,8}$/)),
    template: z.union([z.string(), z.array(z.unknown())]),
    tags: exportTags,
    creation_timestamp: time,
    last_updated_timestamp: time,
    user_id: textOrNone,
    description: textOrNone,
    commit_message: textOrNone,
  }),
});

/** Reads a prompt.json as the version of a registered model that MLflow keeps it as. Throws SOURCE_ITEM, a system error. */
export function readPromptFile(path: string): ExportedVersion {
  const { prompt } = checked(promptFile, readExportFile(path).body, path);
  const { template, tags, description, commit_message, ...fields } = prompt;
  const isText = typeof template === 'string';
  return {
    path,
    copied_to: undefined,
    experiment_name: undefined,
    record: {
      kind: 'model_version',
      ...defined({ ...fields, description: commit_message ?? description }),
      current_stage: MODEL_STAGES[0],
      aliases: [],
      source: SOURCE,
      status: 'READY',
      tags: {
        ...tags,
        [PROMPT_TAG]: 'true',
        [TEXT_TAG]: isText ? template : printTypedJson(parseTypedJson(JSON.stringify(template))),
        [TYPE_TAG]: isText ? 'text' : 'chat',
      },
    },
  };
}
