"""Fills an empty MLflow tracking server with everything that is hard to copy.

make_workspace.py TRACKING_URI [--size full|small] [--seed N]

Talks plain REST, so that times, steps and values are exactly the ones below; everything but the ids the
server chooses follows from the seed. Prints the run ids by their names as JSON.
"""
import argparse
import json
import os
import random
import urllib.parse

import requests

BASE = 1_700_000_000_000
UNICODE = "ünï 日本 \U0001F600"


class Server:
    def __init__(self, uri):
        self.uri = uri.rstrip("/")
        self.session = requests.Session()
        self.session.trust_env = False
        if os.environ.get("MLFLOW_TRACKING_USERNAME"):
            self.session.auth = (os.environ["MLFLOW_TRACKING_USERNAME"], os.environ["MLFLOW_TRACKING_PASSWORD"])
        self.version = tuple(int(part) for part in self.get_text("/version").split(".")[:2])

    def get_text(self, path):
        return self.checked(self.session.get(self.uri + path)).text

    def post(self, path, body):
        # requests' own encoder would let a bare NaN through, which MLflow stores as 0.
        text = json.dumps(body, allow_nan=False)
        answer = self.session.post(
            f"{self.uri}/api/2.0/mlflow/{path}", data=text.encode(), headers={"Content-Type": "application/json"}
        )
        return self.checked(answer).json()

    def put(self, path, content):
        quoted = "/".join(urllib.parse.quote(part, safe="") for part in path.split("/"))
        self.checked(self.session.put(f"{self.uri}/api/2.0/mlflow-artifacts/artifacts/{quoted}", data=content))

    @staticmethod
    def checked(answer):
        if not answer.ok:
            raise SystemExit(f"{answer.request.method} {answer.url}: {answer.status_code} {answer.text[:2000]}")
        return answer


def pairs(mapping):
    return [{"key": key, "value": value} for key, value in mapping.items()]


def chunks(items, size):
    for start in range(0, len(items), size):
        yield items[start : start + size]


class Workspace:
    def __init__(self, server, seed, full):
        self.server = server
        self.seed = seed
        self.random = random.Random(seed)
        self.full = full
        self.runs = {}
        self.roots = {}

    def experiment(self, name, tags=None):
        created = self.server.post("experiments/create", {"name": name})
        experiment_id = created["experiment_id"]
        for key, value in (tags or {}).items():
            self.server.post(
                "experiments/set-experiment-tag", {"experiment_id": experiment_id, "key": key, "value": value}
            )
        return experiment_id

    def run(self, experiment_id, name, start=0, status="FINISHED", end=1000, user="user", tags=None, parent=None):
        tags = dict(tags or {})
        if parent is not None:
            tags["mlflow.parentRunId"] = self.runs[parent]
        created = self.server.post(
            "runs/create",
            {
                "experiment_id": experiment_id,
                "user_id": user,
                "run_name": name,
                "start_time": BASE + start,
                "tags": pairs({"mlflow.user": user, "mlflow.source.type": "LOCAL", **tags}),
            },
        )["run"]["info"]
        run_id = created["run_id"]
        self.runs[name] = run_id
        self.roots[name] = created["artifact_uri"]
        update = {"run_id": run_id, "status": status}
        if end is not None:
            update["end_time"] = BASE + start + end
        if status != "RUNNING" or end is not None:
            self.server.post("runs/update", update)
        return run_id

    def log(self, name, metrics=(), params=None, tags=None):
        """metrics: (key, value text or float, timestamp, step). NaN points go alone: see MLflow issue 26108."""
        run_id = self.runs[name]
        metrics = [
            {"key": key, "value": value, "timestamp": timestamp, "step": step} for key, value, timestamp, step in metrics
        ]
        nan = [metric for metric in metrics if metric["value"] == "NaN"]
        for part in [*chunks([m for m in metrics if m["value"] != "NaN"], 1000), *chunks(nan, 1)]:
            # At most 100 keys a request: older servers stumble over more.
            for group in self.by_keys(part):
                self.server.post("runs/log-batch", {"run_id": run_id, "metrics": group})
        for part in chunks(pairs(params or {}), 100):
            self.server.post("runs/log-batch", {"run_id": run_id, "params": part})
        for part in chunks(pairs(tags or {}), 100):
            self.server.post("runs/log-batch", {"run_id": run_id, "tags": part})

    @staticmethod
    def by_keys(metrics):
        keys = sorted({metric["key"] for metric in metrics})
        for part in chunks(keys, 100):
            wanted = set(part)
            yield [metric for metric in metrics if metric["key"] in wanted]

    def inputs(self, name, datasets):
        self.server.post("runs/log-inputs", {"run_id": self.runs[name], "datasets": datasets})

    def artifact(self, name, path, content):
        root = self.roots[name]
        if root.startswith("mlflow-artifacts:/"):
            self.server.put(root[len("mlflow-artifacts:/") :] + "/" + path, content)
            return
        directory = urllib.parse.unquote(urllib.parse.urlparse(root).path) if root.startswith("file:") else root
        target = os.path.join(directory, path)
        os.makedirs(os.path.dirname(target), exist_ok=True)
        with open(target, "wb") as file:
            file.write(content)

    def bytes(self, count):
        return self.random.getrandbits(8 * count).to_bytes(count, "big") if count else b""

    def proxied(self, name):
        return self.roots[name].startswith("mlflow-artifacts:")


def long_key(prefix, length):
    """A key of exactly `length` characters with slashes and unicode; each part fits a file name."""
    key = f"{prefix}/é 日本/"
    while len(key) < length:
        key += "part-of_key.0/"
    return (key[: length - 1] + "z").replace("/z", "zz")


def odd_metrics():
    yield from (("nan", "NaN", BASE + step, step) for step in range(3))
    yield from [("nan", 1.5, BASE + 10, 3), ("nan then latest", "NaN", BASE, 5), ("nan then latest", -2.0, BASE, 5)]
    yield from [("infinite", "Infinity", BASE, 0), ("infinite", "-Infinity", BASE + 1, 1), ("infinite", 3.0, BASE, 2)]
    yield from [("minus zero", -0.0, BASE, 0), ("denormal", 5e-324, BASE, 0), ("denormal", -2.5e-320, BASE, 1)]
    yield from [("largest", 1.7976931348623157e308, BASE, 0), ("tiny", 2.2250738585072014e-308, BASE, 0)]
    yield from [("precise", 0.1 + 0.2, BASE, 0), ("precise", 1 / 3, BASE, 1), ("precise", 1e22, BASE, 2)]
    yield from [("precise", 9007199254740993.0, BASE, 3), ("precise", 123456789012345680.0, BASE, 4)]
    yield from [("negative steps", float(step), BASE + 100 + step, step) for step in range(-5, 3)]
    yield from [("large steps", 1.0, BASE, 2**53 + 1), ("large steps", 2.0, BASE, 2**63 - 1), ("large steps", 3.0, BASE, -(2**53) - 1)]
    yield from [("time zero", 1.0, 0, 0), ("time zero", 2.0, 0, 1), ("large time", 1.0, 2**53 + 1, 0)]
    yield from [("one step", float(value), BASE + value, 7) for value in range(5)]
    yield from [("one step and time", float(value), BASE, 7) for value in (3, 1, 2)]
    yield from [("unordered", float(step), BASE + step, step) for step in (5, 1, 4, 2, 3)]
    yield from [("__proto__", 1.0, BASE, 0), ("constructor", 2.0, BASE, 0), ("val/loss", 0.5, BASE, 0), ("val/acc", 0.9, BASE, 0)]
    yield from [(long_key("metric", 250), float(step), BASE + step, step) for step in range(3)]


def odd_text(limit):
    return {
        "empty": "",
        "newlines": "a\nb\r\nc\n",
        "quotes": "\"double\" 'single' \\back `tick` {\"json\": [1, null]}",
        "unicode": UNICODE + " \u2028 \u0300",
        "__proto__": "polluted?",
        "toString": "own",
        "spaces around": "  both sides  ",
        "longest": "x" * limit,
        "longest wide": "\U0001F600" * limit,
        long_key("text", 250): "a 250 character key",
    }


def dataset(name, digest, source, tags, **more):
    """MLflow keeps one dataset per name and digest in a whole database: give each workspace its own digests."""
    fields = {"name": name, "digest": digest, "source_type": "local", "source": source, **more}
    return {"dataset": fields, "tags": pairs(tags)}


def odd_artifacts(workspace, name):
    big = 20 * 1024 * 1024 if workspace.full else 300_000
    files = {
        "model/MLmodel": f"artifact_path: model\nrun_id: {workspace.runs[name]}\nflavors:\n  python_function: {{}}\n".encode(),
        "model/requirements.txt": b"scikit-learn\n",
        "big.bin": workspace.bytes(big),
        "empty.txt": b"",
        "empty dir/empty in dir": b"",
        "with space.txt": b"space",
        f"{UNICODE}/{UNICODE}.txt": UNICODE.encode(),
        "plus+plus=&;,@$!~.txt": b"plus",
        "100%.txt": b"percent",
        "what? really.txt": b"question",
        "quote ' and \".txt": b"quote",
        "brackets [1] (2) {3}.txt": b"brackets",
        "colon:star*pipe|.txt": b"colon",
        ".hidden/.file": b"hidden",
        "/".join(f"level{level}" for level in range(12)) + "/deep.txt": b"deep",
        "data.json": b'{"a": 1}\n',
    }
    if not workspace.proxied(name):
        # MLflow's proxy refuses or alters these names; a plain root holds them.
        files.update({"hash # tag.txt": b"hash", "%41.txt": b"percent A", "per%20cent/p%2520q": b"percents"})
    for path, content in files.items():
        workspace.artifact(name, path, content)
    for number in range(40 if workspace.full else 5):
        workspace.artifact(name, f"many/{number:03}.txt", str(number).encode())


def build(workspace):
    server = workspace.server
    seed = workspace.seed
    full = workspace.full
    tag_limit = 8000 if server.version >= (2, 17) else 5000
    main = workspace.experiment(
        f"Team A/main experiment, {UNICODE}",
        {"mlflow.note.content": "# Notes\nof \"main\"", "__proto__": "own", "empty": "", "longest": "e" * 5000},
    )
    second = workspace.experiment("/Users/a b@example.com/second", {"owner": UNICODE})
    gone = workspace.experiment("deleted experiment", {"kept": "yes"})
    workspace.experiment("empty experiment")

    # The tree: three levels, a parent in another experiment, a child older than its parent.
    workspace.run(main, "root", start=10_000, user=UNICODE)
    workspace.run(main, "child", start=11_000, parent="root", tags={"mlflow.rootRunId": workspace.runs["root"]})
    workspace.run(main, "grandchild", start=12_000, parent="child", tags={"mlflow.rootRunId": workspace.runs["root"]})
    workspace.run(second, "child in second", start=13_000, parent="root")
    workspace.run(main, "child of second", start=14_000, parent="child in second")
    workspace.run(main, "child before parent", start=1_000, parent="root")
    workspace.run(main, "child of a stranger", start=15_000, tags={"mlflow.parentRunId": "0123456789abcdef0123456789abcdef"})

    workspace.run(main, "running", start=20_000, status="RUNNING", end=None)
    workspace.run(main, "failed", start=21_000, status="FAILED")
    workspace.run(main, "killed", start=22_000, status="KILLED", end=0)
    workspace.run(main, "scheduled", start=23_000, status="SCHEDULED", end=None)
    workspace.run(main, "finished without end", start=24_000, status="FINISHED", end=None)
    workspace.run(main, "started at 0", start=-BASE, end=5)
    workspace.run(main, f"name / with: everything? {UNICODE} '\"", start=25_000)
    workspace.run(main, "same start 1", start=26_000)
    workspace.run(main, "same start 2", start=26_000)
    workspace.log("running", [("loss", 1.0 / (step + 1), BASE + step, step) for step in range(10)], {"lr": "0.1"}, {"a": "b"})

    workspace.run(main, "odd metrics", start=30_000)
    workspace.log("odd metrics", list(odd_metrics()))

    workspace.run(main, "odd text", start=31_000)
    workspace.log("odd text", params=odd_text(6000), tags=odd_text(tag_limit))
    if server.version >= (2, 16):
        workspace.run(main, "colons", start=31_500)
        workspace.log("colons", [("a:b", 1.0, BASE, 0)], {"a:b": "param"}, {"a:b": "tag"})

    workspace.run(main, "many params and tags", start=32_000)
    workspace.log(
        "many params and tags",
        params={f"param.{number}": f"value {number}" for number in range(130)},
        tags={f"tag.{number}": f"value {number}" for number in range(130)},
    )

    workspace.run(second, "many keys", start=33_000)
    keys = 1010 if full else 120
    workspace.log(
        "many keys",
        [(f"group{key % 7}/key {key}", key + step / 10, BASE + step, step) for key in range(keys) for step in range(2)],
    )

    workspace.run(second, "long history", start=34_000)
    points = 26_000 if full else 2_500
    workspace.log("long history", [("loss", workspace.random.gauss(0, 1), BASE + step, step) for step in range(points)])
    workspace.log("long history", [("other", float(step), BASE + step, step) for step in range(1000)])

    root = workspace.runs["root"]
    workspace.run(main, "inputs", start=35_000)
    workspace.inputs(
        "inputs",
        [
            dataset("train", f"d1-{seed}", json.dumps({"uri": f"runs:/{root}/data/train.csv"}), {"mlflow.data.context": "training"},
                    schema='{"mlflow_colspec": []}', profile='{"num_rows": 3}'),
            dataset(f"eval {UNICODE}", f"d2-{seed}", json.dumps({"uri": f"{workspace.roots['inputs']}/eval.csv"}),
                    {"mlflow.data.context": "eval", "extra": "x" * 500}),
            dataset("untagged", f"d3-{seed}", "{}", {}),
        ],
    )
    workspace.run(second, "inputs again", start=36_000)
    workspace.inputs(
        "inputs again",
        [dataset("train", f"d1-{seed}", json.dumps({"uri": f"runs:/{root}/data/train.csv"}), {"mlflow.data.context": "testing"},
                 schema='{"mlflow_colspec": []}', profile='{"num_rows": 3}')],
    )

    workspace.run(main, "artifacts", start=37_000)
    odd_artifacts(workspace, "artifacts")
    own = workspace.runs["artifacts"]
    history = [
        {"run_id": own, "artifact_path": "model", "utc_time_created": "2023-11-14 22:13:20.000000",
         "model_uuid": "5d9c3f0c4a6b4a0f8b1f3f0c4a6b4a0f", "flavors": {"python_function": {}}},
    ]
    workspace.log(
        "artifacts",
        tags={
            "mlflow.log-model.history": json.dumps(history),
            "model uri": f"runs:/{own}/model",
            "two uris": f"runs:/{own}/model and runs:/{root}/data?x=1",
            "not an id": "runs:/0123456789abcdef0123456789abcdef/model",
        },
    )
    workspace.artifact("root", "data/train.csv", b"a,b\n1,2\n")

    workspace.run(main, "deleted run", start=38_000, parent="root")
    workspace.log("deleted run", [("loss", 0.25, BASE, 0)], {"p": "1"}, {"t": "2"})
    workspace.artifact("deleted run", "kept.txt", b"still here")
    workspace.run(main, "child of deleted", start=39_000, parent="deleted run")
    server.post("runs/delete", {"run_id": workspace.runs["deleted run"]})

    workspace.run(gone, "run in deleted experiment", start=40_000, parent="root")
    workspace.log("run in deleted experiment", [("loss", 0.5, BASE, 1)], {"p": "1"}, {"t": "2"})
    workspace.artifact("run in deleted experiment", "kept.txt", b"still here too")
    server.post("experiments/delete", {"experiment_id": gone})


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("uri")
    parser.add_argument("--size", choices=["full", "small"], default="full")
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    workspace = Workspace(Server(arguments.uri), arguments.seed, arguments.size == "full")
    build(workspace)
    print(json.dumps({"runs": workspace.runs}))


main()
