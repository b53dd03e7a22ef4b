"""Registers the models of log_models.py and prompts with MLflow's own client: `register_models.py URL`."""

import sys

import mlflow
from mlflow import MlflowClient

# MLflow prints what it did.
sys.stdout = sys.stderr
mlflow.set_tracking_uri(sys.argv[1])
mlflow.set_registry_uri(sys.argv[1])
client = MlflowClient()
experiment = client.get_experiment_by_name("models")
models = {model.name: model for model in client.search_logged_models([experiment.experiment_id])}
train = models["classifier"].source_run_id

client.create_registered_model("first of all", tags={"team": "a b"}, description="Two\nlines")
for number in range(1, 13):
    uri = f"models:/{models['classifier'].model_id}" if number % 3 else f"runs:/{train}/tripled"
    mlflow.register_model(uri, "first of all", tags={"number": str(number), "from": f"runs:/{train}/x"})
client.delete_model_version("first of all", "5")
client.delete_model_version("first of all", "1")
client.update_model_version("first of all", "3", "version three")
client.transition_model_version_stage("first of all", "2", "Production")
client.transition_model_version_stage("first of all", "4", "Archived")
client.set_registered_model_alias("first of all", "champion", "12")
client.set_registered_model_alias("first of all", "challenger", "2")
client.create_registered_model("without versions")
mlflow.register_model(f"models:/{models['tripled'].model_id}", "second")

mlflow.genai.register_prompt("greeting", "Hello {{name}}", commit_message="first", tags={"tone": "kind"})
mlflow.genai.register_prompt("greeting", [{"role": "user", "content": "Hi {{name}}"}], commit_message="chat")
mlflow.genai.set_prompt_alias("greeting", alias="production", version=1)
print("{}", file=sys.__stdout__)
