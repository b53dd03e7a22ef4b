"""
Logs traces of many kinds: `log_traces.py URL`. Spans nested, failed, with events, odd values and links; sessions and users;
assessments, one of which overrides another; traces of a run, linked to a run, of a model; spans in the store and in a file.
"""

import sys

import mlflow
from mlflow import MlflowClient
from mlflow.entities import AssessmentError, AssessmentSource, SpanEvent

# MLflow greets on stdout, which is for the answer.
answers, sys.stdout = sys.stdout, sys.stderr
mlflow.set_tracking_uri(sys.argv[1])
client = MlflowClient()


@mlflow.trace(
    span_type="TOOL",
    attributes={
        "float": 1.0,
        "list": [1, 2.5, None, True],
        "map": {"z": 1, "2": "x", "none": None, "deep": {"a": [{}]}},
        "big": 2**60,
        "tiny": 1e-7,
        "huge": 1.5e300,
        "text": "é日\u2028\"\\",
        "../up/__proto__": "hostile\nname",
    },
)
def look_up(word):
    mlflow.get_current_active_span().add_event(
        SpanEvent("cache", attributes={"hit": 1.0, "keys": [1, 2], "name": "t", "b": True}, timestamp=1700000000123456789)
    )
    return {"word": word, "score": float("nan"), "limit": float("inf")}


@mlflow.trace(span_type="PARSER")
def fail(word):
    raise ValueError(f"no such word: {word}é")


@mlflow.trace(name="answer ../..", span_type="AGENT")
def answer(question, session):
    try:
        fail(question)
    except ValueError:
        pass
    mlflow.update_current_trace(
        tags={"kind": "odd é", "empty": ""},
        metadata={"mlflow.trace.session": session, "mlflow.trace.user": "ada"},
        client_request_id=f"request of {session}",
    )
    return [look_up(word) for word in question.split()]


@mlflow.trace
def broken():
    raise RuntimeError("the whole trace fails")


def flush():
    getattr(mlflow, "flush_trace_async_logging", lambda: None)()


def last():
    flush()
    return mlflow.get_last_active_trace_id()


mlflow.set_experiment("traced")
with mlflow.start_run(run_name="logs traces"):
    answer("what is this", "first")
    first = last()
with mlflow.start_run(run_name="linked") as linked:
    pass
answer("and that", "second")
second = last()
try:
    broken()
except RuntimeError:
    pass
third = last()

me = AssessmentSource("HUMAN", "ada")
worse = mlflow.log_feedback(trace_id=first, name="good", value=5, source=me, rationale="why", metadata={"m": "1"})
mlflow.override_feedback(trace_id=first, assessment_id=worse.assessment_id, value={"a": [1, 2.5], "b": None}, rationale="later")
mlflow.log_expectation(trace_id=first, name="expected", value={"k": [1, 2, {"z": None}], "f": 1.0}, source=me)
mlflow.log_expectation(trace_id=first, name="plain", value="a text", source=me)
span = mlflow.get_trace(first).data.spans[1]
mlflow.log_feedback(trace_id=first, name="of a span", value=True, source=me, span_id=span.span_id)
mlflow.log_feedback(trace_id=third, name="judged", error=AssessmentError("CODE", "message", "stack"), source=AssessmentSource("CODE", "judge"))
if sys.argv[1].startswith("http"):
    # A directory has no place for it.
    client.link_traces_to_run([second], linked.info.run_id)

if mlflow.__version__ == "3.17.2" and sys.argv[1].startswith("http"):
    # It need not be there: the link has only its name and number.
    from mlflow.entities.model_registry import PromptVersion

    client.link_prompt_versions_to_trace([PromptVersion(name="greeting", version=1, template="")], second)

# As clients log that send spans as a file.
from mlflow.tracing.client import TracingClient

whole = mlflow.get_trace(second)
tracing = TracingClient()
info = whole.info
info.trace_id = "an id of its own"
info.assessments = []
info.tags = {"mlflow.traceName": "in a file"}
made = tracing.start_trace(info)
if made.tags.get("mlflow.trace.spansLocation") == "TRACKING_STORE":
    client.set_trace_tag(made.trace_id, "mlflow.trace.spansLocation", "ARTIFACT_REPO")
tracing._upload_trace_data(made, whole.data)
print("null", file=answers)
