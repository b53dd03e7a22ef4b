"""Makes webhooks and what MLflow's AI gateway is set up with: `make_anew.py URL SECRET`."""

import json
import sys

import mlflow
from mlflow import MlflowClient
from mlflow.entities.gateway_budget_policy import BudgetAction, BudgetDuration, BudgetDurationUnit, BudgetTargetScope, BudgetUnit
from mlflow.entities.gateway_endpoint import FallbackConfig, FallbackStrategy, GatewayEndpointModelConfig, GatewayModelLinkageType, RoutingStrategy
from mlflow.entities.gateway_guardrail import GuardrailAction, GuardrailStage
from mlflow.entities.webhook import WebhookAction, WebhookEntity, WebhookEvent, WebhookStatus
from mlflow.tracking._tracking_service.utils import _get_store


def make(uri, secret):
    mlflow.set_tracking_uri(uri)
    client, store = MlflowClient(), _get_store()
    events = [
        WebhookEvent(WebhookEntity.REGISTERED_MODEL, WebhookAction.CREATED),
        WebhookEvent(WebhookEntity.MODEL_VERSION, WebhookAction.CREATED),
    ]
    client.create_webhook(
        name="deploy", url="https://8.8.8.8/hook?branch=main&token=" + secret, events=events,
        description="runs the pipeline", secret=secret,
    )
    client.create_webhook(
        name="deploy", url="https://8.8.4.4/hook", events=events[:1], status=WebhookStatus.DISABLED
    )
    key = store.create_gateway_secret(
        secret_name="openai key", secret_value={"api_key": secret}, provider="openai",
        auth_config={"api_base": "https://8.8.8.8/v1"},
    )
    large, small = (
        store.create_gateway_model_definition(name=name, secret_id=key.secret_id, provider="openai", model_name=model)
        for name, model in (("large", "gpt-4o"), ("small", "gpt-4o-mini"))
    )
    endpoint = store.create_gateway_endpoint(
        name="chat",
        model_configs=[
            GatewayEndpointModelConfig(large.model_definition_id, GatewayModelLinkageType.PRIMARY, 0.75),
            GatewayEndpointModelConfig(small.model_definition_id, GatewayModelLinkageType.FALLBACK, 1.0, 1),
        ],
        routing_strategy=RoutingStrategy.REQUEST_BASED_TRAFFIC_SPLIT,
        fallback_config=FallbackConfig(FallbackStrategy.SEQUENTIAL, 2),
    )
    # A copy of the experiment may be there, with its scorer.
    there = client.get_experiment_by_name("guarded")
    experiment = there.experiment_id if there else client.create_experiment("guarded")
    scorers = store.list_scorers(experiment)
    scorer = scorers[0] if scorers else store.register_scorer(experiment, "polite", json.dumps({"name": "polite"}))
    guardrail = store.create_gateway_guardrail(
        name="politeness", scorer_id=scorer.scorer_id, scorer_version=scorer.scorer_version,
        stage=GuardrailStage.BEFORE, action=GuardrailAction.SANITIZATION, action_endpoint_id=endpoint.endpoint_id,
    )
    store.create_budget_policy(
        budget_unit=BudgetUnit.USD, budget_amount=12.5,
        duration=BudgetDuration(unit=BudgetDurationUnit.DAYS, value=30),
        target_scope=BudgetTargetScope.GLOBAL, budget_action=BudgetAction.ALERT,
    )
    return guardrail


if __name__ == "__main__":
    make(sys.argv[1], sys.argv[2])
    print("{}")
