"""Makes scorers and evaluation datasets, or prints what MLflow's own client sees of them: `evaluation.py URL make|show`."""

import json
import sys

import mlflow
from mlflow import MlflowClient
from mlflow.genai.datasets import create_dataset
from mlflow.tracking._tracking_service.utils import _get_store


def make(uri):
    mlflow.set_tracking_uri(uri)
    client, store = MlflowClient(), _get_store()
    first, second = (client.create_experiment(name) for name in ("judged", "judged too"))
    for number in range(1, 7):
        store.register_scorer(first, "polite", json.dumps({"name": "polite", "number": number, "share": 1.0}))
        store.register_scorer(second, "polite", json.dumps({"name": "polite", "other": number}))
    for number in (1, 4):
        store.delete_scorer(first, "polite", number)
    store.register_scorer(first, "a/b ü", json.dumps({"name": "a/b ü"}))
    both = create_dataset(name="questions", experiment_id=[first, second], tags={"team": "ü"})
    both.merge_records(
        [
            {
                "inputs": {"question": f"what is {number}?", "share": 1.0, "large": 12345678901234567890},
                "outputs": {"answer": "é\n" * number},
                "expectations": {"facts": [1, 2.50, None, {"deep": True}]},
                "tags": {"number": str(number)},
                "source": {"source_type": "DOCUMENT", "source_data": {"doc_uri": "x", "content": "y"}},
            }
            for number in range(250)
        ]
    )
    create_dataset(name="questions", experiment_id=[second])


def show(uri):
    mlflow.set_tracking_uri(uri)
    client, store = MlflowClient(), _get_store()
    names = {e.experiment_id: e.name for e in client.search_experiments()}
    scorers = [
        [names[id], version.scorer_name, version.scorer_version, version._serialized_scorer]
        for id in sorted(names, key=names.get)
        for scorer in store.list_scorers(id)
        for version in store.list_scorer_versions(id, scorer.scorer_name)
    ]
    datasets = []
    for dataset in store.search_datasets():
        records, _ = store._load_dataset_records(dataset.dataset_id, max_results=10000)
        datasets.append(
            {
                "name": dataset.name,
                "experiments": sorted(names[id] for id in store.get_dataset_experiment_ids(dataset.dataset_id)),
                "tags": {k: v for k, v in dataset.tags.items() if not k.startswith("mlferry.")},
                "created_by": dataset.created_by,
                "schema": dataset.schema,
                "profile": dataset.profile,
                "records": sorted(
                    json.dumps(
                        {
                            "inputs": r.inputs,
                            "outputs": r.outputs,
                            "expectations": r.expectations,
                            "tags": r.tags,
                            "source": r.source.to_dict() if r.source else None,
                            "created_by": r.created_by,
                        },
                        sort_keys=True,
                    )
                    for r in records
                ),
            }
        )
    return {"scorers": sorted(scorers), "datasets": sorted(datasets, key=lambda d: (d["name"], len(d["records"])))}


if __name__ == "__main__":
    uri, action = sys.argv[1:3]
    print(json.dumps(make(uri) if action == "make" else show(uri)))
