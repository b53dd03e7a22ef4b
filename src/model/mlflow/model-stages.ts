/** MLflow's stages of model versions (mlflow/entities/model_registry/model_version_stages.py). */
export const MODEL_STAGES = ['None', 'Staging', 'Production', 'Archived'] as const;
