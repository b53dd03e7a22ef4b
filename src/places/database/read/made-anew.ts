import { z } from 'zod';
import type { ObjectRecord } from '../../../kinds/kind.ts';
import { kindOf } from '../../../kinds/kinds.ts';
import { wantsWholeRegistry } from '../../../kinds/model-registry.ts';
import { sortEndpointModels } from '../../../model/gateway.ts';
import { webhookOf } from '../../../model/webhook.ts';
import { withoutUndefined } from '../../../util/without-undefined.ts';
import { NO_FILES } from '../../artifact-owner.ts';
import type { ObjectSource } from '../../objects.ts';
import { flag, integer, nullableText, numericId, optionalInteger, optionalText, text } from './cells.ts';
import { checkedRows, inWorkspace, pairsOf, rowsOf, type Store } from './store.ts';

/**
 * Webhooks and the objects of the AI gateway. Columns of secrets (`webhooks.secret`, and all of `secrets` that has something of a
 * value) are never read.
 */

/** The kind's records of a database. */
type Read = (store: Store) => Promise<ObjectRecord[]>;

/** Kinds that people make anew, with the table that has them. */
export const MADE_ANEW: ReadonlyArray<readonly [kind: string, table: string, read: Read]> = [
  ['webhook', 'webhooks', webhooks],
  ['gateway_secret', 'secrets', secrets],
  ['gateway_model_definition', 'model_definitions', modelDefinitions],
  ['gateway_endpoint', 'endpoints', endpoints],
  ['gateway_guardrail', 'guardrails', guardrails],
  ['gateway_budget_policy', 'budget_policies', budgetPolicies],
];

/** The objects of one of these kinds, where everything is wanted. */
export function madeAnew(store: Store, kind: string, read: Read): ObjectSource {
  const of = kindOf(kind);
  return {
    async *read({ selection }) {
      if (!wantsWholeRegistry(selection)) return;
      for (const record of await read(store))
        yield { of, record: of.schema.parse(withoutUndefined(record)), ...NO_FILES };
    },
  };
}

const made = {
  created_at: integer,
  last_updated_at: integer,
  created_by: optionalText,
  last_updated_by: optionalText,
};

/** The rows of a table that are in the workspace. */
function rowsIn<T extends z.ZodRawShape>(store: Store, table: string, shape: T, id: string, but = '1 = 1') {
  const { where, parameters } = inWorkspace(store, table);
  const columns = store.tables.columns(table, Object.keys(shape));
  const sql = `SELECT ${columns} FROM "${table}" WHERE ${where} AND ${but} ORDER BY ${store.database.dialect.bytes(`"${id}"`)}`;
  return checkedRows(store, z.object(shape), sql, parameters);
}

async function webhooks(store: Store): Promise<ObjectRecord[]> {
  const shape = {
    webhook_id: z.string(),
    name: text,
    description: optionalText,
    url: text,
    status: text,
    creation_timestamp: integer,
    last_updated_timestamp: integer,
  };
  const rows = await rowsIn(store, 'webhooks', shape, 'webhook_id', '"deleted_timestamp" IS NULL');
  const ids = rows.map(({ webhook_id }) => webhook_id);
  const event = z.object({ webhook_id: z.string(), entity: text, action: text });
  const events = Map.groupBy(
    await rowsOf(
      store,
      event,
      ids,
      (list) => `SELECT "webhook_id", "entity", "action" FROM "webhook_events" WHERE "webhook_id" IN ${list}`,
    ),
    ({ webhook_id }) => webhook_id,
  );
  return rows.map(({ description, ...row }) =>
    webhookOf({
      ...row,
      ...(description === undefined ? {} : { description }),
      // Servers tell them in capitals.
      events: (events.get(row.webhook_id) ?? []).map(({ entity, action }) => ({
        entity: entity.toUpperCase(),
        action: action.toUpperCase(),
      })),
    }),
  );
}

const config = z
  .string()
  .nullable()
  .transform((json): unknown => (json === null || json === '' ? {} : JSON.parse(json)))
  .pipe(z.record(z.string(), z.union([z.string(), z.number(), z.boolean()]).transform(String)));

async function secrets(store: Store): Promise<ObjectRecord[]> {
  const shape = {
    secret_id: z.string(),
    secret_name: text,
    provider: optionalText,
    auth_config: config,
    ...made,
  };
  const rows = await rowsIn(store, 'secrets', shape, 'secret_id');
  return rows.map((row) => ({ kind: 'gateway_secret', ...row }));
}

async function modelDefinitions(store: Store): Promise<ObjectRecord[]> {
  const shape = {
    model_definition_id: z.string(),
    name: text,
    secret_id: nullableText,
    provider: text,
    model_name: text,
    ...made,
  };
  const rows = await rowsIn(store, 'model_definitions', shape, 'model_definition_id');
  const names = await namesOf(store, 'secrets', 'secret_id', 'secret_name');
  return rows.map(({ secret_id, ...row }) => ({
    kind: 'gateway_model_definition',
    ...row,
    secret_name: secret_id === undefined ? undefined : names.get(secret_id),
  }));
}

/** The names of a table's objects, by their ids. */
async function namesOf(store: Store, table: string, id: string, name: string): Promise<Map<string, string>> {
  const row = z.object({ id: z.string(), name: text });
  const rows = await checkedRows(store, row, `SELECT "${id}" AS "id", "${name}" AS "name" FROM "${table}"`);
  return new Map(rows.map((each) => [each.id, each.name]));
}

const fallback = z
  .string()
  .nullable()
  .transform((json): unknown => (json === null || json === '' ? undefined : JSON.parse(json)))
  .pipe(
    z
      .object({ strategy: z.string().nullish(), max_attempts: z.int().nullish() })
      .transform(({ strategy, max_attempts }) => ({
        ...(strategy ? { strategy } : {}),
        ...(max_attempts === null || max_attempts === undefined ? {} : { max_attempts }),
      }))
      .optional(),
  );

async function endpoints(store: Store): Promise<ObjectRecord[]> {
  const shape = {
    endpoint_id: z.string(),
    name: text,
    routing_strategy: optionalText,
    fallback_config_json: fallback,
    usage_tracking: flag.nullable(),
    experiment_id: numericId.nullable(),
    ...made,
  };
  const rows = await rowsIn(store, 'endpoints', shape, 'endpoint_id');
  const ids = rows.map(({ endpoint_id }) => endpoint_id);
  const tagsOf = await pairsOf(store, { table: 'endpoint_tags', own: 'endpoint_id' }, ids);
  const names = await namesOf(store, 'model_definitions', 'model_definition_id', 'name');
  const mapping = z.object({
    endpoint_id: z.string(),
    model_definition_id: z.string(),
    weight: z.number(),
    linkage_type: text,
    fallback_order: optionalInteger,
  });
  const columns = store.tables.columns('endpoint_model_mappings', Object.keys(mapping.shape));
  const models = Map.groupBy(
    await rowsOf(
      store,
      mapping,
      ids,
      (list) => `SELECT ${columns} FROM "endpoint_model_mappings" WHERE "endpoint_id" IN ${list}`,
    ),
    ({ endpoint_id }) => endpoint_id,
  );
  return rows.map(({ fallback_config_json, usage_tracking, experiment_id, ...row }) => ({
    kind: 'gateway_endpoint',
    ...row,
    fallback_config: fallback_config_json,
    usage_tracking: usage_tracking ?? false,
    experiment_id: experiment_id ?? undefined,
    tags: tagsOf(row.endpoint_id),
    models: sortEndpointModels(
      (models.get(row.endpoint_id) ?? []).map(
        ({ model_definition_id, weight, linkage_type, fallback_order }) => ({
          model_definition: names.get(model_definition_id) ?? model_definition_id,
          linkage_type,
          weight,
          ...(fallback_order === undefined ? {} : { fallback_order: Number(fallback_order) }),
        }),
      ),
    ),
  }));
}

async function guardrails(store: Store): Promise<ObjectRecord[]> {
  const shape = {
    guardrail_id: z.string(),
    name: text,
    scorer_id: z.string(),
    scorer_version: numericId,
    stage: text,
    action: text,
    action_endpoint_id: nullableText,
    ...made,
  };
  const rows = await rowsIn(store, 'guardrails', shape, 'guardrail_id');
  const scorers = await namesOf(store, 'scorers', 'scorer_id', 'scorer_name');
  const names = await namesOf(store, 'endpoints', 'endpoint_id', 'name');
  return rows.map(({ scorer_id, action_endpoint_id, ...row }) => ({
    kind: 'gateway_guardrail',
    ...row,
    scorer_name: scorers.get(scorer_id) ?? scorer_id,
    action_endpoint: action_endpoint_id === undefined ? undefined : names.get(action_endpoint_id),
  }));
}

async function budgetPolicies(store: Store): Promise<ObjectRecord[]> {
  const shape = {
    budget_policy_id: z.string(),
    budget_unit: text,
    budget_amount: z.number(),
    duration_unit: text,
    duration_value: integer,
    target_scope: text,
    target_value: optionalText,
    budget_action: text,
    ...made,
  };
  const rows = await rowsIn(store, 'budget_policies', shape, 'budget_policy_id');
  return rows.map(({ duration_unit, duration_value, ...row }) => ({
    kind: 'gateway_budget_policy',
    ...row,
    duration: { unit: duration_unit, value: Number(duration_value) },
  }));
}
