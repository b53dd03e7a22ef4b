"""Logs traces with MLflow 2.14 to 3.2, which keep spans in files: `log_older_traces.py URL`."""

import sys
from unittest.mock import MagicMock

import mlflow
from mlflow.entities import SpanEvent
from opentelemetry.sdk.trace.export import SimpleSpanProcessor

# Newer releases of OpenTelemetry ask a processor of MLflow for what it does not set.
SimpleSpanProcessor._shutdown = False
SimpleSpanProcessor._metrics = MagicMock()
answers, sys.stdout = sys.stdout, sys.stderr
mlflow.set_tracking_uri(sys.argv[1])
mlflow.set_experiment("traced")


@mlflow.trace(span_type="TOOL", attributes={"float": 1.0, "list": [1, 2.5, None], "big": 2**60, "tiny": 1e-7, "text": "é日"})
def look_up(word):
    mlflow.get_current_active_span().add_event(
        SpanEvent("cache", attributes={"hit": 1.0, "keys": [1, 2]}, timestamp=1700000000123456789)
    )
    return {"word": word, "score": float("nan")}


@mlflow.trace(name="answer")
def answer(question):
    mlflow.update_current_trace(tags={"kind": "odd é"})
    return [look_up(word) for word in question.split()]


@mlflow.trace
def broken():
    raise RuntimeError("the whole trace fails")


with mlflow.start_run(run_name="logs traces"):
    answer("what is this " + "x" * 300)
answer("and that")
try:
    broken()
except RuntimeError:
    pass
print("null", file=answers)
