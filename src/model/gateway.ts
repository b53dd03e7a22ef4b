import { z } from 'zod';
import { int64 } from './int64.ts';
import { stringMap } from './string-map.ts';

/**
 * What MLflow's AI gateway is set up with (3.9 and newer, on a database). The objects name each other, so that people can make
 * them again elsewhere; values of secrets are told to nobody, and what MLflow shows of them is not kept.
 */

/** Who made an object and when (ms since the epoch): the place's own. */
const made = {
  created_at: int64.meta({ placed: true }),
  last_updated_at: int64.meta({ placed: true }),
  created_by: z.string().meta({ placed: true }).optional(),
  last_updated_by: z.string().meta({ placed: true }).optional(),
};

/** A secret without its value. */
export const gatewaySecret = z.strictObject({
  kind: z.literal('gateway_secret'),
  secret_id: z.string().min(1).meta({ identifies: 'gateway_secret' }),
  secret_name: z.string(),
  provider: z.string().optional(),
  /** What is no secret of it: `auth_mode`, `api_base` … */
  auth_config: stringMap,
  ...made,
});

/** A model of a provider, and the secret that it is used with. */
export const gatewayModelDefinition = z.strictObject({
  kind: z.literal('gateway_model_definition'),
  model_definition_id: z.string().min(1).meta({ identifies: 'gateway_model_definition' }),
  name: z.string(),
  secret_name: z.string().optional(),
  provider: z.string(),
  model_name: z.string(),
  ...made,
});

/** An endpoint and the models behind it. */
export const gatewayEndpoint = z.strictObject({
  kind: z.literal('gateway_endpoint'),
  endpoint_id: z.string().min(1).meta({ identifies: 'gateway_endpoint' }),
  name: z.string(),
  /** Sorted by linkage, order and name. */
  models: z.array(
    z.strictObject({
      /** The name of its definition. */
      model_definition: z.string(),
      /** PRIMARY, FALLBACK. */
      linkage_type: z.string(),
      weight: z.number(),
      fallback_order: z.int().optional(),
    }),
  ),
  routing_strategy: z.string().optional(),
  fallback_config: z
    .strictObject({ strategy: z.string().optional(), max_attempts: z.int().optional() })
    .optional(),
  usage_tracking: z.boolean(),
  /** Where its calls are traced: the place's own. */
  experiment_id: z.string().meta({ placed: true }).optional(),
  tags: stringMap,
  ...made,
});

/** A scorer that judges what goes through endpoints. */
export const gatewayGuardrail = z.strictObject({
  kind: z.literal('gateway_guardrail'),
  guardrail_id: z.string().min(1).meta({ identifies: 'gateway_guardrail' }),
  name: z.string(),
  scorer_name: z.string(),
  scorer_version: z.string(),
  /** BEFORE, AFTER. */
  stage: z.string(),
  /** VALIDATION, SANITIZATION. */
  action: z.string(),
  /** The name of the endpoint that sanitizes. */
  action_endpoint: z.string().optional(),
  ...made,
});

/** How much may be spent. */
export const gatewayBudgetPolicy = z.strictObject({
  kind: z.literal('gateway_budget_policy'),
  budget_policy_id: z.string().min(1).meta({ identifies: 'gateway_budget_policy' }),
  budget_unit: z.string(),
  budget_amount: z.number(),
  duration: z.strictObject({ unit: z.string(), value: z.int() }),
  target_scope: z.string(),
  /** A user, or the id of an endpoint, which is the place's own. */
  target_value: z.string().meta({ placed: true }).optional(),
  budget_action: z.string(),
  ...made,
});

type EndpointModel = z.infer<typeof gatewayEndpoint>['models'][number];

/** The models of an endpoint in their one order. */
export function sortEndpointModels(models: readonly EndpointModel[]): EndpointModel[] {
  const key = ({ linkage_type, fallback_order = 0, model_definition }: EndpointModel) =>
    `${linkage_type === 'PRIMARY' ? 0 : 1} ${String(fallback_order).padStart(9, '0')} ${model_definition}`;
  return models.toSorted((a, b) => (key(a) < key(b) ? -1 : 1));
}
