"""Makes a small real `mlruns` with MLflow itself: make_mlruns.py DIRECTORY. The same each time, but for the model's date."""
import json
import math
import os
import random
import shutil
import sys
import tempfile
import uuid

import mlflow.sklearn
import mlflow.store.tracking.file_store as file_store
import numpy
from mlflow import MlflowClient
from mlflow.entities import Dataset, DatasetInput, InputTag, Metric, Param, RunTag
from sklearn.datasets import load_diabetes, load_wine
from sklearn.linear_model import ElasticNet, SGDClassifier
from sklearn.metrics import log_loss, mean_absolute_error, mean_squared_error, r2_score
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler

DIRECTORY = sys.argv[1]
# Git keeps no empty directory, and MLflow takes a run for none without each of its own: every run here has params,
# metrics and artifacts.
START = 1_767_600_000_000  # 2026-01-05, 08:00 UTC
ids = random.Random(2026)
uuid.uuid4 = lambda: uuid.UUID(int=ids.getrandbits(128), version=4)
file_store.get_current_time_millis = lambda: START - 60_000

shutil.rmtree(DIRECTORY, ignore_errors=True)
os.makedirs(DIRECTORY)  # An existing directory gets no empty experiment "Default".
client = MlflowClient(tracking_uri=DIRECTORY)
clock = START


def run(experiment, name, parent=None, **tags):
    global clock
    clock += 90_000
    more = {"mlflow.parentRunId": parent} if parent else {}
    created = client.create_run(
        experiment,
        start_time=clock,
        run_name=name,
        tags={"mlflow.user": "user", "mlflow.source.name": "train.py", "mlflow.source.type": "LOCAL", **more, **tags},
    )
    return created.info.run_id


def log(run_id, params=None, metrics=None, step=0):
    client.log_batch(
        run_id,
        params=[Param(key, str(value)) for key, value in (params or {}).items()],
        metrics=[Metric(key, value, clock + 1_000 * (step + 1), step) for key, value in (metrics or {}).items()],
    )


def end(run_id, status="FINISHED", seconds=60):
    client.set_terminated(run_id, status=status, end_time=clock + 1_000 * seconds)


def dataset(run_id, name, digest, rows, context):
    source = json.dumps({"url": f"https://scikit-learn.org/stable/datasets/toy_dataset.html#{name}"})
    data = Dataset(name, digest, "http", source, profile=json.dumps({"num_rows": rows}))
    client.log_inputs(run_id, [DatasetInput(data, [InputTag("mlflow.data.context", context)])])


def text(run_id, path, content):
    client.log_text(run_id, content, path)


def diabetes():
    experiment = client.create_experiment("diabetes-elasticnet", tags={"mlflow.note.content": "Elastic net on scikit-learn's diabetes data."})
    features, target = load_diabetes(return_X_y=True)
    train_x, test_x, train_y, test_y = train_test_split(features, target, test_size=0.25, random_state=42)
    parent = run(experiment, "grid search")
    log(parent, {"alphas": "0.01, 0.1", "l1_ratios": "0.2, 0.8"})
    best = None
    for alpha in (0.01, 0.1):
        for ratio in (0.2, 0.8):
            child = run(experiment, f"alpha {alpha}, l1_ratio {ratio}", parent)
            dataset(child, "diabetes", "6f1e3a5c", len(train_x), "training")
            model = ElasticNet(alpha=alpha, l1_ratio=ratio, random_state=42).fit(train_x, train_y)
            predicted = model.predict(test_x)
            rmse = math.sqrt(mean_squared_error(test_y, predicted))
            log(
                child,
                {"alpha": alpha, "l1_ratio": ratio, "random_state": 42},
                {"rmse": rmse, "mae": mean_absolute_error(test_y, predicted), "r2": r2_score(test_y, predicted)},
            )
            text(child, "coefficients.csv", "\n".join(f"{index},{value!r}" for index, value in enumerate(model.coef_.tolist())) + "\n")
            end(child)
            if best is None or rmse < best[0]:
                best = (rmse, child, model)
    _, child, model = best
    with tempfile.TemporaryDirectory() as directory:
        path = os.path.join(directory, "model")
        mlflow.sklearn.save_model(model, path, pip_requirements=["scikit-learn"])
        client.log_artifacts(child, path, "model")
    client.set_tag(child, "selected", "yes")
    log(parent, metrics={"best_rmse": best[0]})
    client.set_tag(parent, "best", f"runs:/{child}/model")
    text(parent, "grid.json", json.dumps({"alpha": [0.01, 0.1], "l1_ratio": [0.2, 0.8]}) + "\n")
    end(parent, seconds=400)


def wine():
    experiment = client.create_experiment("wine-classifier")
    features, target = load_wine(return_X_y=True)
    train_x, test_x, train_y, test_y = train_test_split(features, target, test_size=0.25, random_state=1, stratify=target)
    scaler = StandardScaler().fit(train_x)
    train_x, test_x = scaler.transform(train_x), scaler.transform(test_x)
    for name, rate, epochs, status in (
        ("slow", 0.001, 60, "FINISHED"),
        ("fast", 0.01, 60, "FINISHED"),
        ("diverged", 1e6, 8, "FAILED"),
        ("still training", 0.003, 20, "RUNNING"),
    ):
        run_id = run(experiment, name)
        dataset(run_id, "wine", "b01dface", len(train_x), "training")
        log(run_id, {"learning_rate": rate, "epochs": 60, "loss": "log_loss"})
        text(run_id, "scaler.json", json.dumps({"mean": scaler.mean_.tolist(), "scale": scaler.scale_.tolist()}) + "\n")
        model = SGDClassifier(loss="log_loss", learning_rate="constant", eta0=rate, random_state=1)
        for epoch in range(epochs):
            model.partial_fit(train_x, train_y, classes=numpy.unique(target))
            loss = log_loss(train_y, model.predict_proba(train_x)) if status != "FAILED" or epoch < 4 else math.nan
            log(run_id, metrics={"train/loss": loss, "val/accuracy": float(model.score(test_x, test_y))}, step=epoch)
        if status != "RUNNING":
            end(run_id, status)
        if status == "FAILED":
            text(run_id, "error.txt", "The loss is not a number since epoch 4.\n")


def churn():
    experiment = client.create_experiment("Team A/churn baseline", tags={"owner": "Team A"})
    for name, accuracy in (("majority class", 0.734), ("wrong labels", 0.512)):
        run_id = run(experiment, name)
        log(run_id, {"model": "dummy"}, {"accuracy": accuracy})
        text(run_id, "reports/first look.md", f"# {name}\n\nAccuracy {accuracy}.\n")
        end(run_id)
    client.set_tag(run_id, "mlflow.note.content", "Trained on wrong labels: deleted.")
    client.delete_run(run_id)


def forget_this_machine():
    """Artifact roots as seen from the checkout: real MLflow started there finds the files, and no path of ours is kept."""
    root = os.path.abspath(DIRECTORY)
    for directory, _, names in os.walk(DIRECTORY):
        for name in names:
            if name != "meta.yaml":
                continue
            path = os.path.join(directory, name)
            with open(path, encoding="utf-8") as file:
                content = file.read()
            with open(path, "w", encoding="utf-8") as file:
                file.write(content.replace(f"file://{root}", "samples/mlruns").replace(root, "samples/mlruns"))


diabetes()
wine()
churn()
forget_this_machine()
