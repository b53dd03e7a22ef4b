"""Logs models of several flavors and states with MLflow's own client (3.0 and newer): `log_models.py URL SIZE`."""

import os
import sys
import tempfile

import mlflow
import numpy as np
import pandas as pd
import sklearn
from mlflow import MlflowClient
from mlflow.entities import LoggedModelInput
from mlflow.models import infer_signature
from sklearn.linear_model import LogisticRegression

# MLflow prints what it did.
sys.stdout = sys.stderr
mlflow.set_tracking_uri(sys.argv[1])
client = MlflowClient()
mlflow.set_experiment("models")

# Left to itself, MLflow starts a Python for each model, to see what it imports.
REQUIREMENTS = [f"mlflow=={mlflow.__version__}", f"scikit-learn=={sklearn.__version__}"]


class Tripled(mlflow.pyfunc.PythonModel):
    """Multiplies by what a file of the model says."""

    def load_context(self, context):
        with open(context.artifacts["weights"], "rb") as file:
            self.factor = len(file.read())

    def predict(self, context, model_input, params=None):
        return [value * self.factor for value in np.asarray(model_input).ravel().tolist()]


train = pd.DataFrame({"x": [0.0, 1.0, 2.0, 3.0], "y": [1.0, 0.0, 1.0, 0.0]})
labels = [0, 0, 1, 1]

with mlflow.start_run(run_name="train") as run:
    mlflow.log_params({"C": "1.0", "solver": "lbfgs"})
    mlflow.log_metric("loss", 0.5, step=1)
    fitted = LogisticRegression().fit(train, labels)
    classifier = mlflow.sklearn.log_model(
        fitted,
        name="classifier",
        signature=infer_signature(train, fitted.predict(train)),
        input_example=train,
        # The default of newest versions is a format that older ones cannot load.
        serialization_format="cloudpickle",
        pip_requirements=REQUIREMENTS,
        params={"depth": "3"},
        tags={"team": "a b", "from": f"runs:/{run.info.run_id}/x"},
        model_type="classifier",
    )
    with tempfile.TemporaryDirectory() as directory:
        weights = os.path.join(directory, "weights.bin")
        with open(weights, "wb") as file:
            file.write(b"\0\xff\r\n" * (int(sys.argv[2]) // 4))
        pyfunc = mlflow.pyfunc.log_model(
            name="tripled",
            python_model=Tripled(),
            artifacts={"weights": weights},
            pip_requirements=REQUIREMENTS,
            step=7,
        )
    for step in (1, 2, 3):
        mlflow.log_metric("accuracy", 0.5 + step / 10, step=step, model_id=classifier.model_id)

with mlflow.start_run(run_name="evaluate") as run:
    dataset = mlflow.data.from_pandas(train, name="held-out")
    client.log_inputs(run.info.run_id, models=[LoggedModelInput(classifier.model_id)])
    mlflow.log_metric("f1", 0.7, model_id=classifier.model_id, dataset=dataset)
    mlflow.set_tag("best", f"see models:/{classifier.model_id} and models:/{pyfunc.model_id}/data")

with mlflow.start_run(run_name="plain"):
    mlflow.log_metric("loss", 1.0)

mlflow.initialize_logged_model(name="pending")
failed = mlflow.initialize_logged_model(name="failed", source_run_id=run.info.run_id)
client.finalize_logged_model(failed.model_id, "FAILED")
other = mlflow.set_experiment("other models")
mlflow.create_external_model(name="elsewhere", tags={"base": f"models:/{classifier.model_id}"})
print("{}", file=sys.__stdout__)
