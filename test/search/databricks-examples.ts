/** The examples of Databricks' documentation: as written there, as its server is asked, as an open-source server is. */
export const DATABRICKS_EXAMPLES: ReadonlyArray<
  readonly [text: string, databricks: string, mlflow: string | undefined]
> = [
  ['metrics.r2 > 0.3', 'metrics.r2 > 0.3', 'metrics.r2 > 0.3'],
  ['params.elasticNetParam = 0.5', "params.elasticNetParam = '0.5'", "params.elasticNetParam = '0.5'"],
  [
    'params.elasticNetParam = 0.5 AND metrics.avg_areaUnderROC > 0.3',
    "params.elasticNetParam = '0.5' AND metrics.avg_areaUnderROC > 0.3",
    "params.elasticNetParam = '0.5' AND metrics.avg_areaUnderROC > 0.3",
  ],
  ['MIN(metrics.rmse) <= 1', 'MIN(metrics.rmse) <= 1', undefined],
  ['MAX(metrics.memUsage) > 0.9', 'MAX(metrics.memUsage) > 0.9', undefined],
  [
    'LATEST(metrics.memUsage) = 0 AND MIN(metrics.rmse) <= 1',
    'LATEST(metrics.memUsage) = 0 AND MIN(metrics.rmse) <= 1',
    'metrics.memUsage = 0',
  ],
  [
    'tags.estimator_name="RandomForestRegressor"',
    "tags.estimator_name = 'RandomForestRegressor'",
    "tags.estimator_name = 'RandomForestRegressor'",
  ],
  [
    'tags.color="blue" AND tags.size=5',
    "tags.color = 'blue' AND tags.size = '5'",
    "tags.color = 'blue' AND tags.size = '5'",
  ],
  [
    'tags.`my custom tag` = "my value"',
    "tags.`my custom tag` = 'my value'",
    "tags.`my custom tag` = 'my value'",
  ],
];
