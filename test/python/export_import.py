"""Runs a command of mlflow-export-import, with the MLflow of this process.

export_import.py TRACKING_URI PACKAGES MODULE [ARGUMENT ...]

PACKAGES: the directory that it is installed in, without MLflow.
"""
import os
import runpy
import sys
import warnings

warnings.filterwarnings("ignore")

uri, packages, module, *arguments = sys.argv[1:]
sys.path.insert(0, packages)
os.environ["MLFLOW_TRACKING_URI"] = uri

import mlflow  # noqa: E402

mlflow.set_tracking_uri(uri)
sys.argv = [module, *arguments]
runpy.run_module(f"mlflow_export_import.{module}", run_name="__main__")
