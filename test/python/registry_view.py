"""
What MLflow's own client sees of the model registry, as JSON: `registry_view.py URL`. Ids are replaced by names; models are
loaded by version and by alias and asked for predictions.
"""

import json
import os
import sys

# A path that is not there is a 500 of older servers, which the client would repeat for minutes.
os.environ["MLFLOW_HTTP_REQUEST_MAX_RETRIES"] = "1"

import mlflow
import pandas as pd
from mlflow import MlflowClient

mlflow.set_tracking_uri(sys.argv[1])
mlflow.set_registry_uri(sys.argv[1])
client = MlflowClient()
experiments = [experiment.experiment_id for experiment in client.search_experiments()]
names = {run.info.run_id: f"<run {run.info.run_name}>" for run in client.search_runs(experiments)}
names |= {m.model_id: f"<model {m.name}>" for m in client.search_logged_models(experiments, max_results=1000)}
INPUT = pd.DataFrame({"x": [0.5, 2.5], "y": [1.0, 0.0]})


def named(text):
    for id, name in names.items():
        text = (text or "").replace(id, name)
    return text


def tags(found):
    return {key: named(value) for key, value in (found or {}).items() if not key.startswith("mlferry.")}


def predictions(uri):
    return [float(value) for value in mlflow.pyfunc.load_model(uri).predict(INPUT)]


PROMPT = "mlflow.prompt.is_prompt"
prompts_filter = f"tags.`{PROMPT}` = 'true'"
models = list(client.search_registered_models()) + list(client.search_registered_models(prompts_filter))
versions = list(client.search_model_versions()) + list(client.search_model_versions(prompts_filter))
print(
    json.dumps(
        {
            "models": [
                {
                    "name": model.name,
                    "description": model.description or None,
                    "tags": tags(model.tags),
                    "aliases": {alias: str(version) for alias, version in model.aliases.items()},
                }
                for model in sorted(models, key=lambda model: model.name)
            ],
            "versions": [
                {
                    "name": version.name,
                    "version": int(version.version),
                    "description": version.description or None,
                    "stage": version.current_stage,
                    "tags": tags(version.tags),
                    "run": names.get(version.run_id, version.run_id or None),
                    "source": named(version.source) if version.source.startswith("models:") else None,
                    "status": version.status,
                    "predictions": []
                    if PROMPT in version.tags or version.version not in ("1", "3", "12", 1, 3, 12)
                    else predictions(f"models:/{version.name}/{version.version}"),
                }
                for version in sorted(versions, key=lambda version: (version.name, int(version.version)))
            ],
        }
    )
)
