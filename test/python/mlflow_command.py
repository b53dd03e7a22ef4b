"""Runs a command of MLflow's own command line, as `mlflow db upgrade URI`."""

import sys

from mlflow.cli import cli

cli(sys.argv[1:], standalone_mode=False)
