/** Tags that MLflow itself sets and reads (mlflow/utils/mlflow_tags.py). */

/** Kept equal to the run's name. */
export const RUN_NAME_TAG = 'mlflow.runName';
/** Makes a run a child. */
export const PARENT_TAG = 'mlflow.parentRunId';
/** The run at the top of a tree of runs. */
export const ROOT_TAG = 'mlflow.rootRunId';
/** JSON list of the models that MLflow 1 and 2 logged in a run. */
export const MODEL_HISTORY_TAG = 'mlflow.log-model.history';
/** The user that logged a run. */
export const USER_TAG = 'mlflow.user';
/** What a run executed: kind, name, commit, entry point of an MLproject. */
export const SOURCE_TYPE_TAG = 'mlflow.source.type';
export const SOURCE_NAME_TAG = 'mlflow.source.name';
export const SOURCE_COMMIT_TAG = 'mlflow.source.git.commit';
export const ENTRY_POINT_TAG = 'mlflow.project.entryPoint';
/** Of a dataset input: what the run used it for. */
export const DATASET_CONTEXT_TAG = 'mlflow.data.context';
