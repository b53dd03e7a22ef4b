/** Tags that MLflow itself sets and reads (mlflow/utils/mlflow_tags.py). */

/** Kept equal to the run's name. */
export const RUN_NAME_TAG = 'mlflow.runName';
/** Makes a run a child. */
export const PARENT_TAG = 'mlflow.parentRunId';
/** The run at the top of a tree of runs. */
export const ROOT_TAG = 'mlflow.rootRunId';
/** JSON list of the models that MLflow 1 and 2 logged in a run. */
export const MODEL_HISTORY_TAG = 'mlflow.log-model.history';
/** The description of a run, that people write. */
export const NOTE_TAG = 'mlflow.note.content';
/** The user that logged a run. */
export const USER_TAG = 'mlflow.user';
/** What a run executed: kind, name, commit, entry point of an MLproject. */
export const SOURCE_TYPE_TAG = 'mlflow.source.type';
export const SOURCE_NAME_TAG = 'mlflow.source.name';
export const SOURCE_COMMIT_TAG = 'mlflow.source.git.commit';
export const ENTRY_POINT_TAG = 'mlflow.project.entryPoint';
/** Of a dataset input: what the run used it for. */
export const DATASET_CONTEXT_TAG = 'mlflow.data.context';
/** Of a logged model: JSON list of the versions registered from it. The server itself keeps it. */
export const MODEL_VERSIONS_TAG = 'mlflow.modelVersions';
/** Makes a registered model, and a version of one, a prompt (`true`). */
export const PROMPT_TAG = 'mlflow.prompt.is_prompt';
/** Of a run or trace: JSON list of the versions of prompts that it used. */
export const LINKED_PROMPTS_TAG = 'mlflow.linkedPrompts';
/** Of a trace: its name. */
export const TRACE_NAME_TAG = 'mlflow.traceName';
/** Of a version of a prompt: ids of the runs that use it, joined by commas. */
export const PROMPT_RUNS_TAG = 'mlflow.prompt.associatedRunIds';
/** Of a prompt: ids of its experiments, between commas. */
export const PROMPT_EXPERIMENTS_TAG = '_mlflow_experiment_ids';
/** Where a run's code is in Git (mlflow 1.x to 3.17; the first of each is older than the `source.git` names). */
export const SOURCE_BRANCH_TAG = 'mlflow.source.git.branch';
export const SOURCE_REPOSITORY_TAG = 'mlflow.source.git.repoURL';
export const SOURCE_DIRTY_TAG = 'mlflow.source.git.dirty';
export const OLD_REPOSITORY_TAG = 'mlflow.gitRepoURL';
export const OLD_BRANCH_TAG = 'mlflow.gitBranch';
/** How a project was run. */
export const PROJECT_BACKEND_TAG = 'mlflow.project.backend';
export const PROJECT_ENVIRONMENT_TAG = 'mlflow.project.env';
export const DOCKER_IMAGE_TAG = 'mlflow.docker.image.uri';
export const DOCKER_ID_TAG = 'mlflow.docker.image.id';
/** Set on Databricks: the notebook, job and cluster of a run, and the Git folder that its code was in. */
export const NOTEBOOK_ID_TAG = 'mlflow.databricks.notebookID';
export const NOTEBOOK_PATH_TAG = 'mlflow.databricks.notebookPath';
export const NOTEBOOK_REVISION_TAG = 'mlflow.databricks.notebookRevisionID';
export const WORKSPACE_URL_TAG = 'mlflow.databricks.workspaceURL';
export const WORKSPACE_ID_TAG = 'mlflow.databricks.workspaceID';
export const WEBAPP_URL_TAG = 'mlflow.databricks.webappURL';
export const RUN_URL_TAG = 'mlflow.databricks.runURL';
export const JOB_ID_TAG = 'mlflow.databricks.jobID';
export const JOB_RUN_ID_TAG = 'mlflow.databricks.jobRunID';
export const JOB_TYPE_TAG = 'mlflow.databricks.jobType';
export const SHELL_JOB_ID_TAG = 'mlflow.databricks.shellJobID';
export const SHELL_JOB_RUN_ID_TAG = 'mlflow.databricks.shellJobRunID';
export const CLUSTER_ID_TAG = 'mlflow.databricks.cluster.id';
export const GIT_FOLDER_URL_TAG = 'mlflow.databricks.gitRepoUrl';
export const GIT_FOLDER_COMMIT_TAG = 'mlflow.databricks.gitRepoCommit';
export const GIT_FOLDER_PROVIDER_TAG = 'mlflow.databricks.gitRepoProvider';
export const GIT_FOLDER_PATH_TAG = 'mlflow.databricks.gitRepoRelativePath';
export const GIT_FOLDER_REFERENCE_TAG = 'mlflow.databricks.gitRepoReference';
export const GIT_FOLDER_STATUS_TAG = 'mlflow.databricks.gitRepoStatus';
