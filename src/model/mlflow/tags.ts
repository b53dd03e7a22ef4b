/** Tags that MLflow itself sets and reads (mlflow/utils/mlflow_tags.py). */

/** Kept equal to the run's name. */
export const RUN_NAME_TAG = 'mlflow.runName';
/** Makes a run a child. */
export const PARENT_TAG = 'mlflow.parentRunId';
/** The run at the top of a tree of runs. */
export const ROOT_TAG = 'mlflow.rootRunId';
/** JSON list of the models that MLflow 1 and 2 logged in a run. */
export const MODEL_HISTORY_TAG = 'mlflow.log-model.history';
