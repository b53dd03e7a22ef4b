"""
Logs and registers models of several flavors as MLflow 2 does, among the artifacts of their runs: `log_older_models.py URL
[SIZE]`. SIZE: bytes of a file of the pyfunc model.
"""

import inspect
import os
import sys
import tempfile

import mlflow
import numpy as np
import pandas as pd
import sklearn
from mlflow import MlflowClient
from mlflow.models import infer_signature
from sklearn.linear_model import LogisticRegression

# MLflow prints what it did.
sys.stdout = sys.stderr
mlflow.set_tracking_uri(sys.argv[1])
mlflow.set_registry_uri(sys.argv[1])
SIZE = int(sys.argv[2]) if len(sys.argv) > 2 else 3000
client = MlflowClient()
mlflow.set_experiment("models")

# Left to itself, MLflow starts a Python for each model, to see what it imports.
REQUIREMENTS = [f"mlflow=={mlflow.__version__}", f"scikit-learn=={sklearn.__version__}"]


class Scaled(mlflow.pyfunc.PythonModel):
    """Multiplies by what a file of the model and a module beside it say."""

    def load_context(self, context):
        from mlferry_factor import FACTOR

        self.factor = FACTOR * (os.path.getsize(context.artifacts["weights"]) % 1000 + 1)

    def predict(self, context, model_input, params=None):
        return [value * self.factor for value in np.asarray(model_input).ravel().tolist()]


train = pd.DataFrame({"x": [0.0, 1.0, 2.0, 3.0], "y": [1.0, 0.0, 1.0, 0.0]})
fitted = LogisticRegression().fit(train, [0, 0, 1, 1])

# It began before the run whose model it has, and is copied before it.
early = mlflow.start_run(run_name="early")
with mlflow.start_run(run_name="train", nested=True) as run:
    mlflow.log_param("C", "1.0")
    mlflow.sklearn.log_model(
        fitted,
        artifact_path="classifier",
        signature=infer_signature(train, fitted.predict(train)),
        input_example=train,
        pip_requirements=REQUIREMENTS,
    )
    with tempfile.TemporaryDirectory() as directory:
        weights = os.path.join(directory, "weights.bin")
        with open(weights, "wb") as file:
            file.write(os.urandom(1 << 20) * (SIZE >> 20) + b"w" * (SIZE % (1 << 20)))
        module = os.path.join(directory, "mlferry_factor.py")
        with open(module, "w") as file:
            file.write("FACTOR = 0.5\n")
        sys.path.insert(0, directory)
        names = inspect.signature(mlflow.pyfunc.log_model).parameters
        mlflow.pyfunc.log_model(
            artifact_path="deep/scaled",
            python_model=Scaled(),
            artifacts={"weights": weights},
            pip_requirements=REQUIREMENTS,
            **{"code_paths" if "code_paths" in names else "code_path": [module]},
        )
with tempfile.TemporaryDirectory() as directory:
    taken = mlflow.artifacts.download_artifacts(f"runs:/{run.info.run_id}/classifier", dst_path=directory)
    mlflow.log_artifacts(taken, "taken")
mlflow.end_run()
with mlflow.start_run(run_name="late"):
    mlflow.sklearn.log_model(
        fitted,
        artifact_path="own",
        signature=infer_signature(train, fitted.predict(train)),
        pip_requirements=REQUIREMENTS,
    )

client.create_registered_model("champions", tags={"team": "a b"}, description="Two\nlines")
for number in range(1, 5):
    path = "classifier" if number % 2 else "deep/scaled"
    mlflow.register_model(f"runs:/{run.info.run_id}/{path}", "champions", tags={"number": str(number)})
client.delete_model_version("champions", "2")
client.update_model_version("champions", "3", "version three")
client.transition_model_version_stage("champions", "1", "Production")
client.transition_model_version_stage("champions", "4", "Archived")
client.set_registered_model_alias("champions", "best", "3")
client.set_registered_model_alias("champions", "other", "4")
print("{}", file=sys.__stdout__)
