"""Makes databases as older versions of MLflow left them, with rows, and tells what MLflow's own client sees of them.

older_databases.py DIRECTORY REVISION...

Each is made by MLflow's own migration scripts, stopped at the revision: DIRECTORY/REVISION.db. A copy of it goes on to the
newest schema and is read by the client. Prints, by revision, experiments and runs as JSON.
"""
import json
import math
import pathlib
import shutil
import sys

from alembic import command
from sqlalchemy import create_engine, inspect, text

from mlflow import MlflowClient
from mlflow.entities import ViewType
from mlflow.store.db.utils import _get_alembic_config, _upgrade_db
from mlflow.store.tracking.dbmodels.initial_models import Base as InitialBase

RUNS = [
    dict(run_uuid="a" * 32, name="first", status="FINISHED", start_time=1500000000000, end_time=1500000001000),
    dict(run_uuid="b" * 32, name="", status="RUNNING", start_time=1500000000001, end_time=None),
    dict(run_uuid="c" * 32, name="deleted", status="FAILED", start_time=1500000000002, end_time=1500000000003,
         lifecycle_stage="deleted", deleted_time=1600000000000),
]
METRICS = [
    dict(key="loss", value=0.1, timestamp=1, step=-1), dict(key="loss", value=-0.5, timestamp=1, step=2**53 + 1),
    dict(key="loss", value=0.0, timestamp=2, step=0, is_nan=True), dict(key="best/acc", value=1e-300, timestamp=5, step=0),
    dict(key="loss", value=1.7976931348623157e308, timestamp=3, step=3),
]


def insert(connection, table, **values):
    """Inserts a row; columns that this schema does not have yet are left out."""
    columns = {column["name"] for column in inspect(connection).get_columns(table)}
    kept = {name: value for name, value in values.items() if name in columns}
    names = ", ".join(f'"{name}"' for name in kept)
    connection.execute(text(f'INSERT INTO "{table}" ({names}) VALUES ({", ".join(":" + name for name in kept)})'), kept)


def fill(engine):
    with engine.begin() as connection:
        has = inspect(connection).has_table
        for number, name in ((0, "Default"), (7, "old ünï")):
            insert(connection, "experiments", experiment_id=number, name=name, artifact_location=f"./mlruns/{number}",
                   lifecycle_stage="active", creation_time=1400000000000, last_update_time=1400000000001)
        insert(connection, "experiment_tags", experiment_id=7, key="team", value="blue")
        for run in RUNS:
            insert(connection, "runs", **{
                "experiment_id": 7, "user_id": "someone", "lifecycle_stage": "active", "source_type": "UNKNOWN",
                "source_name": "", "entry_point_name": "", "source_version": "",
                "artifact_uri": f"./mlruns/7/{run['run_uuid']}/artifacts", **run,
            })
        run_uuid = "a" * 32
        insert(connection, "tags", run_uuid="b" * 32, key="mlflow.runName", value="by tag")
        for key, value in (("lr", "0.1"), ("text", "a\nb 😀"), ("empty", "")):
            insert(connection, "params", run_uuid=run_uuid, key=key, value=value)
            insert(connection, "tags", run_uuid=run_uuid, key=key, value=value)
        for metric in METRICS:
            insert(connection, "metrics", run_uuid=run_uuid, **{"is_nan": False, **metric})
        latest = {}
        for metric in METRICS:
            order = lambda m: (m["step"], m["timestamp"], m["value"])
            known = latest.get(metric["key"])
            if known is None or order(metric) > order(known):
                latest[metric["key"]] = metric
        for metric in latest.values():
            insert(connection, "latest_metrics", run_uuid=run_uuid, **{"is_nan": False, **metric})
        insert(connection, "registered_models", name="model", creation_time=5, last_updated_time=6, description="of old")
        insert(connection, "model_versions", name="model", version=2, creation_time=7, last_updated_time=8,
               current_stage="Production", source=f"./mlruns/7/{run_uuid}/artifacts/model", run_id=run_uuid, status="READY")
        if has("inputs"):
            insert(connection, "datasets", dataset_uuid="d1", experiment_id=7, name="data", digest="5", dataset_source_type="local",
                   dataset_source="{}")
            insert(connection, "inputs", input_uuid="i1", source_type="DATASET", source_id="d1", destination_type="RUN",
                   destination_id=run_uuid)
            insert(connection, "input_tags", input_uuid="i1", name="mlflow.data.context", value="training")


def value(number):
    return "NaN" if math.isnan(number) else number


def view(uri):
    client = MlflowClient(tracking_uri=uri, registry_uri=uri)
    runs = client.search_runs(["7"], run_view_type=ViewType.ALL)
    return {
        "tags": client.get_experiment("7").tags,
        "runs": {
            run.info.run_id: {
                "name": run.info.run_name, "status": run.info.status, "stage": run.info.lifecycle_stage,
                "start": run.info.start_time, "end": run.info.end_time, "user": run.info.user_id,
                "params": run.data.params, "tags": run.data.tags,
                "latest": {key: value(number) for key, number in run.data.metrics.items()},
                "inputs": [[each.dataset.name, {tag.key: tag.value for tag in each.tags}] for each in run.inputs.dataset_inputs],
                "points": [
                    [point.key, str(point.step), point.timestamp, value(point.value)]
                    for key in sorted(run.data.metrics) for point in client.get_metric_history(run.info.run_id, key)
                ],
            }
            for run in runs
        },
        "versions": [
            [version.name, str(version.version), version.current_stage, version.run_id]
            for version in client.search_model_versions()
        ],
    }


def main(directory, revisions):
    seen = {}
    for revision in revisions:
        path = pathlib.Path(directory, f"{revision}.db")
        uri = f"sqlite:///{path}"
        engine = create_engine(uri)
        InitialBase.metadata.create_all(engine)
        config = _get_alembic_config(uri)
        with engine.begin() as connection:
            config.attributes["connection"] = connection
            command.upgrade(config, revision)
        fill(engine)
        engine.dispose()
        upgraded = path.with_suffix(".upgraded.db")
        shutil.copy(path, upgraded)
        new = create_engine(f"sqlite:///{upgraded}")
        _upgrade_db(new)
        new.dispose()
        seen[revision] = view(f"sqlite:///{upgraded}")
    print(json.dumps(seen))


main(sys.argv[1], sys.argv[2:])
