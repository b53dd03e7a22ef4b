import type { z } from 'zod';
import { kindOf } from '../../../kinds/kinds.ts';
import { linksOf, type ModelLinks } from '../../../kinds/model-links.ts';
import type { Findings } from '../../../model/findings.ts';
import { type LoggedModel, loggedModel } from '../../../model/logged-model.ts';
import type { Run } from '../../../model/records.ts';
import { pushModelFilter } from '../../../search/push-objects.ts';
import { endsJob } from '../../../util/ends-job.ts';
import { MlferryError } from '../../../util/errors.ts';
import type { ObjectReader, ObjectSource } from '../../objects.ts';
import type { loggedModelPage } from '../connect/answers.ts';
import { isAtLeast } from '../connect/capabilities.ts';
import { modelOwner } from '../connect/owner.ts';
import { pages } from '../connect/pages.ts';
import { routes } from '../connect/routes.ts';
import type { TrackingClient } from '../connect/tracking-client.ts';
import { representModel } from '../write/fit-logged-model.ts';
import { listArtifacts, openArtifact } from './artifacts.ts';
import { experimentIds } from './experiment-ids.ts';
import { orUnfiltered } from './or-unfiltered.ts';

/** Models in a page: Databricks takes no more. */
const PAGE = 50;
/** Experiments in one search. */
const EXPERIMENTS = 100;

/** Whether the server may have logged models (3.0 and newer); one that tells no version is tried. */
export function knowsModels({ server }: TrackingClient): boolean {
  return server.version === undefined || isAtLeast(server, '3.0');
}

/** All logged models of some experiments, each once, in the order of their creation. Deleted ones are never told. */
export async function* searchLoggedModels(
  client: TrackingClient,
  experiment_ids: readonly string[],
  filter?: string,
): AsyncGenerator<LoggedModel> {
  const ids = new Set<string>();
  const ask = (max_results: number, page_token: string | undefined) =>
    client.call(routes.searchLoggedModels, {
      body: {
        experiment_ids,
        filter,
        max_results,
        page_token,
        order_by: [{ field_name: 'creation_timestamp', ascending: true }],
      },
    });
  const isNew = ({ models }: z.infer<typeof loggedModelPage>) =>
    models.some(({ model_id }) => !ids.has(model_id));
  try {
    for await (const { models } of pages({ name: 'The list of logged models', ask, isNew, size: PAGE })) {
      for (const model of models) {
        if (ids.has(model.model_id)) continue;
        ids.add(model.model_id);
        yield model;
      }
    }
  } catch (error) {
    if (client.server.version === undefined && isAbsentRoute(error)) return;
    throw error;
  }
}

function isAbsentRoute(error: unknown): boolean {
  return error instanceof MlferryError && (error.code === 'UNSUPPORTED' || error.code === 'NOT_FOUND');
}

/** The logged models of a server. */
export function loggedModels(client: TrackingClient, findings: Findings): ObjectSource {
  const of = kindOf('logged_model');
  const reader = (record: LoggedModel): ObjectReader => {
    const owner = modelOwner(record);
    return {
      of,
      record,
      artifacts: () => listArtifacts(client, owner, findings),
      open: (artifact) => openArtifact(client, owner, artifact, findings),
    };
  };
  return {
    represent: (wanted, present) => representModel(loggedModel.parse(wanted), loggedModel.parse(present)),
    async *read({ experiments, selection }) {
      const filter = pushModelFilter(selection.model_filter);
      const ids = experiments.map(({ experiment_id }) => experiment_id);
      for (let at = 0; at < ids.length; at += EXPERIMENTS)
        for await (const model of orUnfiltered(filter, (asked) =>
          searchLoggedModels(client, ids.slice(at, at + EXPERIMENTS), asked),
        ))
          yield reader(model);
    },
  };
}

/**
 * Asks for the links of runs to models: runs/search leaves inputs out, and before 3.2 outputs too. Nothing is asked where
 * the server has no model.
 */
export function modelLinksOf(client: TrackingClient): (run: Run) => Promise<ModelLinks> {
  let any: Promise<boolean> | undefined;
  return async (run) => {
    any ??= hasModels(client);
    if (!(await any)) return linksOf(run);
    return linksOf((await client.call(routes.run, { query: { run_id: run.run_id } })).run.run);
  };
}

async function hasModels(client: TrackingClient): Promise<boolean> {
  if (!knowsModels(client)) return false;
  try {
    for await (const experiment_ids of experimentIds(client)) {
      const body = { experiment_ids, max_results: 1 };
      if ((await client.call(routes.countLoggedModels, { body })).count > 0) return true;
    }
  } catch (error) {
    if (!(error instanceof MlferryError) || endsJob(error)) throw error;
    // Where models cannot be searched nobody knows: then each run is asked. That they cannot is told when they are read.
    return !isAbsentRoute(error);
  }
  return false;
}
