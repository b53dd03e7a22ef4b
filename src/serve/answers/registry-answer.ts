import type { ModelVersion, RegisteredModel } from '../../model/registered-model.ts';
import { integer, keyValues, list } from './json-values.ts';

/** A version of a registered model as MLflow's servers tell it. `source` is where clients find its files. */
export function versionAnswer(version: ModelVersion, source: string): unknown {
  const { name, description, user_id, current_stage, run_id, run_link, status, status_message, model_id } =
    version;
  return {
    name,
    version: version.version,
    creation_timestamp: integer(version.creation_timestamp),
    last_updated_timestamp: integer(version.last_updated_timestamp),
    user_id,
    current_stage,
    description,
    source,
    run_id: run_id ?? '',
    status,
    status_message,
    tags: keyValues(version.tags),
    run_link: run_link ?? '',
    aliases: list(version.aliases),
    model_id,
  };
}

/** A registered model as MLflow's servers tell it: with its aliases and, of each stage, the latest version. */
export function registeredModelAnswer(
  model: RegisteredModel,
  versions: readonly ModelVersion[],
  sourceOf: (version: ModelVersion) => string,
): unknown {
  const { name, description, creation_timestamp, last_updated_timestamp, tags } = model;
  return {
    name,
    creation_timestamp: integer(creation_timestamp),
    last_updated_timestamp: integer(last_updated_timestamp),
    description,
    latest_versions: list(
      latestOfStages(versions).map((version) => versionAnswer(version, sourceOf(version))),
    ),
    tags: keyValues(tags),
    aliases: list(versions.flatMap(({ version, aliases }) => aliases.map((alias) => ({ alias, version })))),
  };
}

/** The latest version of each stage that has one. */
export function latestOfStages(versions: readonly ModelVersion[]): ModelVersion[] {
  const latest = new Map<string, ModelVersion>();
  for (const version of versions) {
    const other = latest.get(version.current_stage);
    if (other === undefined || Number(other.version) < Number(version.version))
      latest.set(version.current_stage, version);
  }
  return [...latest.values()];
}
