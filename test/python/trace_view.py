"""
What MLflow's own client sees of the traces there, as JSON: `trace_view.py URL`. Ids of runs and experiments are replaced by names,
so that the view of a copy is that of its source; ids of traces, spans and assessments stay.
"""

import json
import os
import sys

os.environ["MLFLOW_ALLOW_FILE_STORE"] = "true"

import mlflow
from mlflow import MlflowClient
from mlflow.entities import ViewType

mlflow.set_tracking_uri(sys.argv[1])
client = MlflowClient()
experiments = client.search_experiments(view_type=ViewType.ALL)
names = {}
for experiment in experiments:
    for run in client.search_runs([experiment.experiment_id], run_view_type=ViewType.ALL):
        names[run.info.run_id] = f"<run {run.info.run_name}>"
OURS = ("mlferry.", "mlflow.artifactLocation", "mlflow.trace.spansLocation")


def view(info, experiment):
    """The same for MLflow 2, whose fields have other names."""
    id = getattr(info, "trace_id", None) or info.request_id
    trace = client.get_trace(id)
    info = trace.info
    shown = {"trace_id": id, "experiment": experiment.name}
    shown["state"] = str(getattr(info, "state", None) or info.status).split(".")[-1]
    times = ("request_time", "execution_duration") if hasattr(info, "request_time") else ("timestamp_ms", "execution_time_ms")
    shown["times"] = [getattr(info, name) for name in times]
    for name in ("client_request_id", "request_preview", "response_preview"):
        shown[name] = getattr(info, name, None)
    metadata = dict(getattr(info, "trace_metadata", None) or info.request_metadata)
    # Set by newer servers.
    metadata.pop("mlflow.trace.infoFinalized", None)
    shown["metadata"] = metadata
    shown["in_store"] = info.tags.get("mlflow.trace.spansLocation") == "TRACKING_STORE"
    shown["tags"] = {k: v for k, v in info.tags.items() if not k.startswith(OURS)}
    assessments = [found.to_dictionary() for found in getattr(info, "assessments", None) or []]
    shown["assessments"] = sorted(assessments, key=lambda found: found["assessment_id"])
    # As Python spells them: JSON in the tests has no NaN, no integers beyond 2^53, and one kind of number.
    shown["spans"] = [
        {
            "span_id": span.span_id,
            "parent_id": span.parent_id,
            "name": span.name,
            "type": str(span.span_type),
            "times": f"{span.start_time_ns} {span.end_time_ns}",
            "status": f"{span.status.status_code} {span.status.description}",
            "attributes": {key: repr(value) for key, value in span.attributes.items() if key != "mlflow.traceRequestId"},
            "events": [f"{event.name} {event.timestamp} {sorted(event.attributes.items())!r}" for event in span.events],
            "links": [repr(link) for link in getattr(span, "links", [])],
        }
        for span in sorted(trace.data.spans, key=lambda span: (span.start_time_ns, span.span_id))
    ]
    return shown


found = []
linked = []
for experiment in experiments:
    for info in client.search_traces(experiment_ids=[experiment.experiment_id], max_results=500):
        found.append(view(getattr(info, "info", info), experiment))
for run_id, name in names.items() if hasattr(client, "link_traces_to_run") and sys.argv[1].startswith("http") else ():
    for trace in client.search_traces(
        experiment_ids=[each.experiment_id for each in experiments], run_id=run_id, max_results=500
    ):
        linked.append([name, trace.info.trace_id])
prompted = []
if mlflow.__version__ == "3.17.2" and sys.argv[1].startswith("http"):
    by_prompt = client.search_traces(
        experiment_ids=[each.experiment_id for each in experiments], filter_string="prompt = 'greeting/1'", max_results=500
    )
    prompted = [trace.info.trace_id for trace in by_prompt]
found.sort(key=lambda each: (each["experiment"], each["times"][0], each["tags"]["mlflow.traceName"]))
text = json.dumps({"traces": found, "linked": sorted(linked), "prompted": sorted(prompted)})
for id, name in names.items():
    text = text.replace(id, name)
print(text)
