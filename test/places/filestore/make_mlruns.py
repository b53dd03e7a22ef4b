"""Makes an mlruns directory with this MLflow version's own client.

make_mlruns.py DIRECTORY

Prints the ids of the runs by their names as JSON.
"""
import json
import os
import sys
import warnings

warnings.filterwarnings("ignore")

import mlflow  # noqa: E402
from mlflow import MlflowClient  # noqa: E402
from mlflow.entities import Dataset, DatasetInput, InputTag, Metric, Param, RunTag  # noqa: E402

BASE = 1_700_000_000_000
UNICODE = "ünï 日本 \U0001F600"
VERSION = tuple(int(part) for part in mlflow.__version__.split(".")[:2])


def main():
    root = os.path.abspath(sys.argv[1])
    os.makedirs(os.path.dirname(root), exist_ok=True)
    client = MlflowClient(tracking_uri=root)
    runs = {}

    def run(experiment, name, start=0, status="FINISHED", end=1000, tags=None):
        created = client.create_run(experiment, start_time=BASE + start, run_name=name, tags=tags or {})
        runs[name] = created.info.run_id
        return created.info.run_id

    def end(run_id, status="FINISHED", time=BASE + 1000):
        client.set_terminated(run_id, status, time)

    main_id = client.create_experiment(f"Team A/main: {UNICODE}", tags={"note": "a\r\nb", "a/b": UNICODE})
    second = client.create_experiment("1e3")
    gone = client.create_experiment("deleted experiment", tags={"kept": "yes"})

    default = run("0", "in default")
    client.log_param(default, "p", "1")
    end(default)

    root_id = run(main_id, "root", 10)
    end(root_id, "FAILED")
    child = run(main_id, "child", 5, tags={"mlflow.parentRunId": root_id})
    end(child, "KILLED")
    for number, name in enumerate(["123", "yes", "1e5", "~", "null", "0x1f", "2020-01-01", " spaces ", "a: b # c", UNICODE, "line\nbreak", "'q\" \\", "-", "=", "1_000", "12:30:45"]):
        end(run(main_id, name, 100 + number))

    values = run(main_id, "values", 20)
    points = [("nan", float("nan"), 0), ("nan", 1.5, 1), ("inf", float("inf"), 0), ("inf", float("-inf"), 1), ("zero", -0.0, 0)]
    points += [("denormal", 5e-324, 0), ("large", 1e22, 0), ("large", 1e-07, 1), ("large", 9007199254740993, 2), ("int", 3, 0)]
    points += [("steps", 1.0, 2**53 + 1), ("steps", 2.0, -7), ("steps", 3.0, 2**63 - 1), ("twice", 1.0, 4), ("twice", 1.0, 4)]
    points += [(f"val/deep/{UNICODE[:3]} key", 1.25, 0), ("val/loss", 0.1 + 0.2, 0), ("__proto__", 1.0, 0)]
    for key, value, step in points:
        client.log_metric(values, key, value, timestamp=BASE + 1, step=step)
    client.log_metric(values, "time zero", 1.0, timestamp=0, step=0)
    end(values)

    texts = run(main_id, "texts", 30)
    odd = {"crlf": "a\r\nb\rc\n", "empty": "", "unicode": UNICODE + "\u2028", "a/b/c": "nested", "__proto__": "own", "long": "x" * 4000}
    for key, value in odd.items():
        client.log_param(texts, key, value)
        client.set_tag(texts, key, value)
    for start in (0, 100):
        client.log_batch(texts, params=[Param(f"param.{n}", str(n)) for n in range(start, start + 65)], tags=[RunTag(f"tag.{n}", str(n)) for n in range(start, start + 65)])
    end(texts)

    many = run(second, "many keys", 40)
    client.log_batch(many, metrics=[Metric(f"group{n % 7}/key {n}", n / 10, BASE + n, n) for n in range(60)])
    end(many)
    long = run(second, "long history", 50)
    for start in range(0, 3000, 1000):
        client.log_batch(long, metrics=[Metric("loss", 1 / (n + 1), BASE + n, n) for n in range(start, start + 1000)])
    end(long)

    inputs = run(main_id, "inputs", 60)
    datasets = [
        DatasetInput(Dataset("train", "1234e567", "local", '{"uri": "x"}', schema="{}", profile='{"rows": 3}'), [InputTag("mlflow.data.context", "training")]),
        DatasetInput(Dataset(UNICODE, "12345678", "http", "{}"), [InputTag("yes", "no"), InputTag("1e3", "2e5")]),
    ]
    client.log_inputs(inputs, datasets)
    end(inputs)
    again = run(main_id, "inputs again", 61)
    client.log_inputs(again, [DatasetInput(Dataset("train", "1234e567", "local", '{"uri": "x"}', schema="{}", profile='{"rows": 3}'), [])])
    end(again)

    artifacts = run(main_id, "artifacts", 70)
    client.log_text(artifacts, "hello", "a file.txt")
    client.log_text(artifacts, "", "empty")
    client.log_text(artifacts, "deep", "a/b/c/100% + #1.txt")
    client.log_text(artifacts, UNICODE, f"a.b/{UNICODE}.txt")
    end(artifacts)

    running = run(second, "running", 80)
    client.log_metric(running, "loss", 1.0, timestamp=BASE, step=0)

    deleted = run(main_id, "deleted", 90)
    client.log_param(deleted, "p", "kept")
    client.log_text(deleted, "kept", "kept.txt")
    end(deleted)
    client.delete_run(deleted)

    trashed = run(gone, "in deleted experiment", 95)
    client.log_metric(trashed, "m", 2.0, timestamp=BASE, step=3)
    end(trashed)
    client.delete_experiment(gone)

    if VERSION >= (3, 0):
        from mlflow.entities import LoggedModelInput, LoggedModelOutput

        model = client.create_logged_model(main_id, name="model", source_run_id=root_id)
        linked = run(main_id, "linked", 65)
        client.log_inputs(linked, models=[LoggedModelInput(model.model_id)])
        client.log_outputs(linked, [LoggedModelOutput(model.model_id, 0)])
        client.log_metric(linked, "five", 0.5, timestamp=BASE, step=0, dataset_name="data", dataset_digest="abc", model_id=model.model_id)
        end(linked)

    print(json.dumps(runs))


main()
