"""
What models predict that MLflow's own client loads by every URI that names them, as JSON: `predictions.py URL`. Ids are
replaced by names, so that what is seen of a copy is what is seen of its source. With each goes the run that its MLmodel
file names, and the path where it is one of that run.
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
runs = client.search_runs(experiments)
names = {run.info.run_id: f"<run {run.info.run_name}>" for run in runs}
models = []
if hasattr(client, "search_logged_models"):
    models = list(client.search_logged_models(experiments, max_results=1000))
    names |= {model.model_id: f"<model {model.name}>" for model in models}


def named(text):
    for id, name in names.items():
        text = text.replace(id, name)
    return text


def directories(run_id, path=None):
    """Where models are among the files of a run."""
    files = client.list_artifacts(run_id, path)
    if any(file.path.split("/")[-1] == "MLmodel" for file in files):
        yield path
        return
    for file in files:
        if file.is_dir:
            yield from directories(run_id, file.path)


uris = [f"runs:/{run.info.run_id}/{path}" for run in runs for path in directories(run.info.run_id)]
for model in models:
    if str(model.status) == "READY" and "mlflow.model.isExternal" not in model.tags:
        uris.append(f"models:/{model.model_id}")
        uris += [f"runs:/{model.source_run_id}/{model.name}"] if model.source_run_id else []
for version in client.search_model_versions():
    # Those between are like them.
    if int(version.version) not in range(5, 12):
        uris.append(f"models:/{version.name}/{version.version}")
for model in client.search_registered_models():
    uris += [f"models:/{model.name}@{alias}" for alias in model.aliases]


def seen(uri):
    loaded = mlflow.pyfunc.load_model(uri)
    inputs = pd.DataFrame({"x": [0.5, 2.5], "y": [1.0, 0.0]}) if loaded.metadata.signature else [1, 2.5]
    path = loaded.metadata.artifact_path
    return {
        "predictions": [float(value) for value in loaded.predict(inputs)],
        "run": named(loaded.metadata.run_id),
        "path": None if ":" in path else path,
    }


print(json.dumps({named(uri): seen(uri) for uri in uris}))
