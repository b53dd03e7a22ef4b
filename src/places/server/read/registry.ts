import type { z } from 'zod';
import { kindOf } from '../../../kinds/kinds.ts';
import { bringsFiles, isMadeOfChosen, wantsWholeRegistry } from '../../../kinds/model-registry.ts';
import { locate } from '../../../kinds/remap-object.ts';
import type { Findings } from '../../../model/findings.ts';
import { PROMPT_TAG } from '../../../model/mlflow/tags.ts';
import { type ModelVersion, modelVersion, registeredModel } from '../../../model/registered-model.ts';
import { MlferryError } from '../../../util/errors.ts';
import { type ArtifactOwner, NO_FILES } from '../../artifact-owner.ts';
import type { ObjectReader, ObjectScope, ObjectSource } from '../../objects.ts';
import { isAtLeast } from '../connect/capabilities.ts';
import { modelOwner, type ServerOwner, versionOwner } from '../connect/owner.ts';
import { pages } from '../connect/pages.ts';
import type {
  modelVersionPage,
  registeredModelPage,
  ServerRegisteredModel,
} from '../connect/registry-answers.ts';
import { routes, within } from '../connect/routes.ts';
import type { TrackingClient } from '../connect/tracking-client.ts';
import { representRegisteredModel, representVersion } from '../write/fit-registry.ts';
import { listArtifacts, openArtifact } from './artifacts.ts';

const PAGE = 200;

/** Searches that together find all: newer servers leave prompts out unless they are asked for. */
function filters({ server }: TrackingClient): (string | undefined)[] {
  const knowsPrompts = isAtLeast(server, '2.21');
  return knowsPrompts ? [undefined, `tags.\`${PROMPT_TAG}\` = 'true'`] : [undefined];
}

/** All registered models, prompts too, each once, by name. */
export async function* searchRegisteredModels(client: TrackingClient): AsyncGenerator<ServerRegisteredModel> {
  const names = new Set<string>();
  for (const filter of filters(client)) {
    const ask = (max_results: number, page_token: string | undefined) =>
      client.call(routes.searchRegisteredModels, {
        query: { filter, max_results, page_token, order_by: ['name ASC'] },
      });
    const isNew = ({ registered_models }: z.infer<typeof registeredModelPage>) =>
      registered_models.some(({ model }) => !names.has(model.name));
    const name = 'The list of registered models';
    for await (const { registered_models } of orNone(client, pages({ name, ask, isNew, size: PAGE }))) {
      for (const found of registered_models) {
        if (names.has(found.model.name)) continue;
        names.add(found.model.name);
        yield found;
      }
    }
  }
}

/** All versions that the filter lets through, each once, by name and number. */
export async function* searchModelVersions(
  client: TrackingClient,
  filter?: string,
): AsyncGenerator<ModelVersion> {
  const ids = new Set<string>();
  for (const kind of filters(client)) {
    const both = [filter, kind].filter((part) => part !== undefined).join(' AND ') || undefined;
    const ask = (max_results: number, page_token: string | undefined) =>
      client.call(routes.searchModelVersions, {
        query: {
          filter: both,
          max_results,
          page_token,
          order_by: ['name ASC', 'version_number ASC'],
        },
      });
    const id = ({ name, version }: ModelVersion) => `${name}/${version}`;
    const isNew = ({ model_versions }: z.infer<typeof modelVersionPage>) =>
      model_versions.some((version) => !ids.has(id(version)));
    const name = 'The list of model versions';
    for await (const { model_versions } of orNone(client, pages({ name, ask, isNew, size: PAGE }))) {
      for (const version of model_versions) {
        if (ids.has(id(version))) continue;
        ids.add(id(version));
        yield version;
      }
    }
  }
}

/** A server that tells no version may have no registry at all. */
async function* orNone<T>(client: TrackingClient, all: AsyncIterable<T>): AsyncGenerator<T> {
  try {
    yield* all;
  } catch (error) {
    const absent = error instanceof MlferryError && ['UNSUPPORTED', 'NOT_FOUND'].includes(error.code);
    if (client.server.version !== undefined || !absent) throw error;
  }
}

/** The kinds of a server's model registry. */
export function registry(client: TrackingClient, findings: Findings): ReadonlyArray<[string, ObjectSource]> {
  return [
    ['registered_model', registeredModels(client)],
    ['model_version', modelVersions(client, findings)],
  ];
}

function registeredModels(client: TrackingClient): ObjectSource {
  const of = kindOf('registered_model');
  return {
    represent: (wanted, present) =>
      representRegisteredModel(registeredModel.parse(wanted), registeredModel.parse(present)),
    async *read(scope) {
      const chosen = wantsWholeRegistry(scope.selection) ? undefined : await namesOfChosen(client, scope);
      if (chosen?.size === 0) return;
      for await (const { model } of searchRegisteredModels(client)) {
        if (chosen !== undefined && !chosen.has(model.name)) continue;
        yield { of, record: model, ...NO_FILES, ...(chosen === undefined ? {} : { belongs: true }) };
      }
    },
  };
}

/** The names of which a version was made from what is chosen. */
async function namesOfChosen(client: TrackingClient, { isChosen }: ObjectScope): Promise<Set<string>> {
  const names = new Set<string>();
  for await (const version of searchModelVersions(client))
    if (isMadeOfChosen(version, isChosen)) names.add(version.name);
  return names;
}

function modelVersions(client: TrackingClient, findings: Findings): ObjectSource {
  const of = kindOf('model_version');
  const reader = (record: ModelVersion, { isHeld }: ObjectScope): ObjectReader => {
    const files = bringsFiles(record, isHeld) ? versionFiles(client, record, findings) : NO_FILES;
    return { of, record, ...files };
  };
  return {
    represent: (wanted, present) => representVersion(modelVersion.parse(wanted), modelVersion.parse(present)),
    async *read(scope) {
      const aliases = new Map<string, string[]>();
      for await (const { model, aliases: all } of searchRegisteredModels(client)) {
        for (const [alias, version] of all) {
          const id = `${model.name}/${version}`;
          aliases.set(id, [...(aliases.get(id) ?? []), alias]);
        }
      }
      for await (const version of searchModelVersions(client)) {
        const own = aliases.get(`${version.name}/${version.version}`) ?? [];
        yield reader({ ...version, aliases: own.sort() }, scope);
      }
    },
  };
}

/** The files of a version, at its source wherever that is. What the server cannot give is a loss. */
function versionFiles(client: TrackingClient, version: ModelVersion, findings: Findings): ArtifactOwner {
  let owner: Promise<ServerOwner> | undefined;
  const of = { kind: 'model_version', id: `${version.name}/${version.version}` };
  return {
    async *artifacts() {
      try {
        owner ??= findOwner(client, version);
        yield* listArtifacts(client, await owner, findings);
      } catch (error) {
        const gone =
          error instanceof MlferryError && ['UNSUPPORTED', 'NOT_FOUND', 'REFUSED'].includes(error.code);
        if (!gone) throw error;
        const detail = `The files at its source ${version.source} cannot be listed: ${error.message}`;
        findings.loss({ code: 'ARTIFACTS_UNREACHABLE', of, detail });
      }
    },
    async open(artifact) {
      owner ??= findOwner(client, version);
      return openArtifact(client, await owner, artifact, findings);
    },
  };
}

async function findOwner(client: TrackingClient, version: ModelVersion): Promise<ServerOwner> {
  const located = locate(version.source, () => true);
  const [, model_id] = /^models:\/+(m-[\w-]+)/.exec(located) ?? [];
  if (model_id !== undefined) {
    const { model } = await client.call(within(routes.loggedModel, model_id));
    return modelOwner(model);
  }
  const [, run_id, path = ''] = /^runs:\/+([^/]+)\/?(.*)$/.exec(located) ?? [];
  const root_id = version.run_id ?? version.model_id;
  if (run_id === undefined) return versionOwner(version, { artifact_uri: version.source, root_id });
  try {
    const { run } = (await client.call(routes.run, { query: { run_id } })).run;
    const artifact_uri = path === '' ? run.artifact_uri : `${run.artifact_uri}/${path}`;
    return versionOwner(version, { artifact_uri, within: { run_id, path } });
  } catch (error) {
    // The run is gone for good, its files may still be there.
    if (!(error instanceof MlferryError) || error.code !== 'NOT_FOUND') throw error;
    return versionOwner(version, { artifact_uri: version.source, root_id: run_id });
  }
}
