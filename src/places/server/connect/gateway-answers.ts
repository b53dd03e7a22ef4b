import { z } from 'zod';
import {
  gatewayBudgetPolicy,
  gatewayEndpoint,
  gatewayGuardrail,
  gatewayModelDefinition,
  gatewaySecret,
  sortEndpointModels,
} from '../../../model/gateway.ts';
import { int64Answer } from '../../../model/int64.ts';

/** Answers of MLflow about its AI gateway (3.9 and newer, databases only). Values of secrets are in none of them. */

const text = z.string().optional();
const someText = text.transform((value) => value || undefined);
const number = z.union([z.string(), z.int()]).transform(String);

const made = {
  created_at: int64Answer.default(0),
  last_updated_at: int64Answer.default(0),
  created_by: someText,
  last_updated_by: someText,
};

const secretAnswer = z
  .object({
    secret_id: z.string(),
    secret_name: z.string().default(''),
    provider: someText,
    auth_config: z.record(z.string(), z.string()).default({}),
    ...made,
  })
  .transform((answer) => gatewaySecret.parse({ kind: 'gateway_secret', ...answer }));

/** Answer of gateway/secrets/list. It has no pages. */
export const gatewaySecretList = z.object({ secrets: z.array(secretAnswer).default([]) });

const definitionAnswer = z
  .object({
    model_definition_id: z.string(),
    name: z.string().default(''),
    secret_name: someText,
    provider: z.string().default(''),
    model_name: z.string().default(''),
    ...made,
  })
  .transform((answer) => gatewayModelDefinition.parse({ kind: 'gateway_model_definition', ...answer }));

/** Answer of gateway/model-definitions/list. It has no pages. */
export const gatewayModelDefinitionList = z.object({
  model_definitions: z.array(definitionAnswer).default([]),
});

const mappingAnswer = z
  .object({
    model_definition_id: z.string(),
    model_definition: z.object({ name: z.string() }).optional(),
    linkage_type: z.string().default('PRIMARY'),
    weight: z.number().default(1),
    fallback_order: z.int().optional(),
  })
  .transform(({ model_definition_id, model_definition, ...mapping }) => ({
    model_definition: model_definition?.name ?? model_definition_id,
    ...mapping,
  }));

const endpointAnswer = z
  .object({
    endpoint_id: z.string(),
    name: z.string().default(''),
    model_mappings: z.array(mappingAnswer).default([]),
    routing_strategy: someText,
    fallback_config: z.object({ strategy: text, max_attempts: z.int().optional() }).optional(),
    usage_tracking: z.boolean().default(false),
    experiment_id: someText,
    tags: z
      .array(z.object({ key: z.string(), value: z.string().default('') }))
      .default([])
      .transform((tags) => Object.fromEntries(tags.map(({ key, value }) => [key, value]))),
    ...made,
  })
  .transform(({ model_mappings, ...answer }) => {
    const models = sortEndpointModels(model_mappings);
    return gatewayEndpoint.parse({ kind: 'gateway_endpoint', ...answer, models });
  });

/** Answer of gateway/endpoints/list. It has no pages. */
export const gatewayEndpointList = z.object({ endpoints: z.array(endpointAnswer).default([]) });

const guardrailAnswer = z
  .object({
    guardrail_id: z.string(),
    name: z.string().default(''),
    scorer: z.object({ scorer_name: z.string().default(''), scorer_version: number.default('0') }),
    stage: z.string().default(''),
    action: z.string().default(''),
    /** The name of the endpoint, whatever the field is called (mlflow/entities/gateway_guardrail.py). */
    action_endpoint_id: someText,
    ...made,
  })
  .transform(({ scorer, action_endpoint_id, ...answer }) =>
    gatewayGuardrail.parse({
      kind: 'gateway_guardrail',
      ...answer,
      scorer_name: scorer.scorer_name,
      scorer_version: scorer.scorer_version,
      action_endpoint: action_endpoint_id,
    }),
  );

/** Answer of gateway/guardrails/list. */
export const gatewayGuardrailPage = z.object({
  guardrails: z.array(guardrailAnswer).default([]),
  next_page_token: text,
});

const budgetAnswer = z
  .object({
    budget_policy_id: z.string(),
    budget_unit: z.string().default(''),
    budget_amount: z.number().default(0),
    duration: z.object({ unit: z.string().default(''), value: z.int().default(0) }),
    target_scope: z.string().default(''),
    target_value: someText,
    budget_action: z.string().default(''),
    ...made,
  })
  .transform((answer) => gatewayBudgetPolicy.parse({ kind: 'gateway_budget_policy', ...answer }));

/** Answer of gateway/budgets/list. */
export const gatewayBudgetPolicyPage = z.object({
  budget_policies: z.array(budgetAnswer).default([]),
  next_page_token: text,
});
