"""
What MLflow's own client sees of logged models and of the runs that name them, as JSON: `model_view.py URL [predict]`. Ids
are replaced by names, so that the view of a copy is that of its source. With `predict`, models are loaded by all their
URIs and asked for predictions.
"""

import hashlib
import json
import os
import sys
import tempfile

# A path that is not there is a 500 of older servers, which the client would repeat for minutes.
os.environ["MLFLOW_HTTP_REQUEST_MAX_RETRIES"] = "1"

import mlflow
import pandas as pd
from mlflow import MlflowClient
from mlflow.entities import ViewType

mlflow.set_tracking_uri(sys.argv[1])
client = MlflowClient()
experiments = client.search_experiments(view_type=ViewType.ALL)
runs = [
    client.get_run(run.info.run_id)
    for experiment in experiments
    for run in client.search_runs([experiment.experiment_id], run_view_type=ViewType.ALL)
]
models = [
    model
    for experiment in experiments
    for model in client.search_logged_models([experiment.experiment_id], max_results=1000)
]
names = {model.model_id: f"<model {model.name}>" for model in models}
names |= {run.info.run_id: f"<run {run.info.run_name}>" for run in runs}


def named(text):
    for model in models:
        text = text.replace(model.artifact_location, f"<root of {model.name}>")
    for id, name in names.items():
        text = text.replace(id, name)
    return text


def files_of(model):
    found = {}
    with tempfile.TemporaryDirectory() as directory:
        try:
            root = mlflow.artifacts.download_artifacts(model.artifact_location, dst_path=directory)
        except Exception:
            return found
        for parent, _, files in os.walk(root):
            for file in files:
                # Loading a model from a directory puts it there.
                if file == "registered_model_meta":
                    continue
                path = os.path.join(parent, file)
                with open(path, "rb") as opened:
                    content = opened.read()
                if file == "MLmodel":
                    content = named(content.decode()).encode()
                found[os.path.relpath(path, root)] = hashlib.sha256(content).hexdigest()
    return found


INPUTS = {"classifier": pd.DataFrame({"x": [0.5, 2.5], "y": [1.0, 0.0]}), "tripled": [1, 2.5]}


def predictions(model):
    if model.name not in INPUTS:
        return {}
    uris = [f"models:/{model.model_id}", f"runs:/{model.source_run_id}/{model.name}"]
    return {
        named(uri): [float(value) for value in mlflow.pyfunc.load_model(uri).predict(INPUTS[model.name])]
        for uri in uris
    }


def view_of(model):
    return {
        "name": model.name,
        "type": model.model_type or None,
        "status": str(model.status),
        "experiment": next(e.name for e in experiments if e.experiment_id == model.experiment_id),
        "source_run": names.get(model.source_run_id, model.source_run_id) or None,
        "params": dict(model.params or {}),
        "tags": {k: named(v) for k, v in (model.tags or {}).items() if not k.startswith("mlferry.")},
        "metrics": sorted(
            f"{m.key} {m.step} {m.timestamp} {m.value} {names.get(m.run_id)} {m.dataset_name} {m.dataset_digest}"
            for m in model.metrics or []
        ),
        "files": files_of(model),
        "predictions": predictions(model) if "predict" in sys.argv else {},
    }


def links_of(run):
    inputs = [names.get(i.model_id, i.model_id) for i in (run.inputs.model_inputs if run.inputs else [])]
    outputs = [
        f"{names.get(o.model_id, o.model_id)} {o.step}"
        for o in (run.outputs.model_outputs if run.outputs else [])
    ]
    return {
        "name": run.info.run_name,
        "inputs": sorted(inputs),
        "outputs": sorted(outputs),
        "tags": {k: named(v) for k, v in run.data.tags.items() if "models:/" in v},
        "metrics": run.data.metrics,
    }


print(
    json.dumps(
        {
            "models": sorted((view_of(model) for model in models), key=lambda view: view["name"]),
            "runs": sorted((links_of(run) for run in runs), key=lambda view: view["name"]),
        }
    )
)
