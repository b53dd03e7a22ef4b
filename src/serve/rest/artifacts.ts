import { z } from 'zod';
import { list } from '../answers/json-values.ts';
import { optionalText, parsed } from '../asked.ts';
import type { Handler } from '../context.ts';
import { modelOf } from '../files.ts';
import { runOf } from '../search-records.ts';
import { rootOfModel, rootOfRun } from '../served-roots.ts';
import { runId } from './runs.ts';

const directorySchema = z.object({ path: optionalText });
const fileSchema = z.object({ path: z.string() });

export const listArtifacts: Handler = async ({ place, files }, asked) => {
  const { run_id, experiment_id } = await runOf(place, parsed(runId, asked));
  const found = await files.listRun(run_id, parsed(directorySchema, asked).path);
  return { json: { root_uri: rootOfRun(experiment_id, run_id), files: list(found) } };
};

/** A file of a run. */
export const getArtifact: Handler = ({ files }, asked) =>
  files.ofRun(parsed(runId, asked), parsed(fileSchema, asked).path);

export const listProxied: Handler = async ({ files }, asked) => ({
  json: { files: list(await files.listProxied(parsed(directorySchema, asked).path ?? '')) },
});

export const getProxied: Handler = ({ files }, asked) => files.proxied(parsed(fileSchema, asked).path);

const modelDirectorySchema = z.object({ model_id: z.string(), artifact_directory_path: optionalText });

export const listModelArtifacts: Handler = async ({ place, files }, asked) => {
  const { model_id, artifact_directory_path } = parsed(modelDirectorySchema, asked);
  const { experiment_id } = await modelOf(place, model_id);
  const found = await files.listModel(model_id, artifact_directory_path);
  return { json: { root_uri: rootOfModel(experiment_id, model_id), files: list(found) } };
};

const modelFileSchema = z.object({ model_id: z.string(), artifact_file_path: z.string() });

export const getModelArtifact: Handler = ({ files }, asked) => {
  const { model_id, artifact_file_path } = parsed(modelFileSchema, asked);
  return files.ofModel(model_id, artifact_file_path);
};

const versionFileSchema = z.object({ name: z.string(), version: z.string(), path: z.string() });

export const getVersionArtifact: Handler = ({ files }, asked) => {
  const { name, version, path } = parsed(versionFileSchema, asked);
  return files.ofVersion(name, version, path);
};
