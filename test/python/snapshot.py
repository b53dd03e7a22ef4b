"""Prints everything that this MLflow version's own client sees at a tracking URI, as one JSON object.

snapshot.py TRACKING_URI [--experiment NAME …]

Numbers are texts, so that NaN, -0.0, denormals and integers beyond 2^53 stay exact: a point of a metric is
"<step> <timestamp> <value>", the value as Python's repr. Artifacts are read in full and hashed.
"""
import argparse
import hashlib
import json
import os
import sys
import urllib.parse
import warnings
from concurrent.futures import ThreadPoolExecutor

warnings.filterwarnings("ignore")

import requests  # noqa: E402
from mlflow import MlflowClient, __version__  # noqa: E402
from mlflow.entities import ViewType  # noqa: E402


def pages(search):
    token = None
    while True:
        page = search(token)
        yield from page
        token = page.token
        if not token:
            return


class RemoteArtifacts:
    """Over the server's own run-level routes, which serve every artifact root and every file name."""

    def __init__(self, uri):
        self.uri = uri.rstrip("/")
        self.session = requests.Session()
        self.session.trust_env = False
        if os.environ.get("MLFLOW_TRACKING_USERNAME"):
            self.session.auth = (os.environ["MLFLOW_TRACKING_USERNAME"], os.environ["MLFLOW_TRACKING_PASSWORD"])

    def get(self, route, **query):
        answer = self.session.get(self.uri + route, params=query, stream=True)
        if not answer.ok:
            raise SystemExit(f"GET {answer.url}: {answer.status_code} {answer.text[:2000]}")
        return answer

    def files(self, run, directory=None):
        query = {"run_id": run.info.run_id, **({"path": directory} if directory else {})}
        for file in self.get("/api/2.0/mlflow/artifacts/list", **query).json().get("files", []):
            if file.get("is_dir"):
                yield from self.files(run, file["path"])
            else:
                yield file["path"], int(file.get("file_size", 0))

    def content(self, run, path):
        answer = self.get("/get-artifact", run_id=run.info.run_id, path=path)
        yield from answer.iter_content(1 << 20)


class LocalArtifacts:
    """A deleted experiment is moved to .trash, the roots of its runs are not rewritten: there MLflow itself finds nothing."""

    def __init__(self, directory):
        self.directory = directory

    def root(self, run):
        trash = os.path.join(self.directory, ".trash", run.info.experiment_id, run.info.run_id, "artifacts")
        if os.path.isdir(trash):
            return trash
        uri = run.info.artifact_uri
        return urllib.parse.unquote(urllib.parse.urlparse(uri).path) if uri.startswith("file:") else uri

    def files(self, run):
        root = self.root(run)
        for directory, _, names in os.walk(root):
            for name in names:
                path = os.path.join(directory, name)
                yield os.path.relpath(path, root), os.path.getsize(path)

    def content(self, run, path):
        with open(os.path.join(self.root(run), path), "rb") as file:
            while part := file.read(1 << 20):
                yield part


def artifact(artifacts, run, path, size):
    """An MLmodel file must name its own run, wherever that is: the hash is without the id."""
    digest = hashlib.sha256()
    read = 0
    for part in artifacts.content(run, path):
        read += len(part)
        digest.update(part.replace(run.info.run_id.encode(), b"") if path.endswith("/MLmodel") else part)
    return {"size": size, "read": read, "sha256": digest.hexdigest()}


def point(metric):
    return f"{metric.step} {metric.timestamp} {float(metric.value)!r}"


def snapshot_of_run(client, artifacts, pool, run):
    run_id = run.info.run_id
    keys = list(run.data.metrics)
    histories = pool.map(lambda key: client.get_metric_history(run_id, key), keys)
    return {
        "run_id": run_id,
        "experiment_id": run.info.experiment_id,
        "run_name": run.info.run_name,
        "user_id": run.info.user_id,
        "status": run.info.status,
        "start_time": run.info.start_time,
        "end_time": run.info.end_time,
        "lifecycle_stage": run.info.lifecycle_stage,
        "artifact_uri": run.info.artifact_uri,
        "params": dict(run.data.params),
        "tags": dict(run.data.tags),
        "latest": {metric.key: point(metric) for metric in run.data._metric_objs},
        "history": {key: [point(metric) for metric in history] for key, history in zip(keys, histories)},
        "inputs": [
            {
                "name": item.dataset.name,
                "digest": item.dataset.digest,
                "source_type": item.dataset.source_type,
                "source": item.dataset.source,
                "schema": item.dataset.schema or None,
                "profile": item.dataset.profile or None,
                "tags": {tag.key: tag.value for tag in item.tags},
            }
            for item in (run.inputs.dataset_inputs if run.inputs else [])
        ],
        "artifacts": {path: artifact(artifacts, run, path, size) for path, size in artifacts.files(run)},
    }


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("uri")
    parser.add_argument("--experiment", action="append", default=[])
    arguments = parser.parse_args()
    client = MlflowClient(tracking_uri=arguments.uri)
    remote = arguments.uri.startswith("http")
    artifacts = RemoteArtifacts(arguments.uri) if remote else LocalArtifacts(arguments.uri)
    experiments = [
        experiment
        for experiment in pages(
            lambda token: client.search_experiments(view_type=ViewType.ALL, max_results=1000, page_token=token)
        )
        if not arguments.experiment or experiment.name in arguments.experiment
    ]
    with ThreadPoolExecutor(8) as pool:
        runs = [
            snapshot_of_run(client, artifacts, pool, run)
            for experiment in experiments
            for run in pages(
                lambda token, id=experiment.experiment_id: client.search_runs(
                    [id], run_view_type=ViewType.ALL, max_results=500, page_token=token
                )
            )
        ]
    json.dump(
        {
            "mlflow": __version__,
            "experiments": [
                {
                    "experiment_id": experiment.experiment_id,
                    "name": experiment.name,
                    "lifecycle_stage": experiment.lifecycle_stage,
                    "tags": dict(experiment.tags),
                }
                for experiment in experiments
            ],
            "runs": runs,
        },
        sys.stdout,
    )


main()
