/**
 * mlferry as a library: the verbs of the command line. Every place is named by its location text.
 */
export type { CopyResult } from './copy/copy.ts';
export { explain } from './copy/explain.ts';
export { type Counts, inspect, type Summary } from './copy/inspect.ts';
export { copyBetween as copy, type JobOptions } from './copy/job.ts';
export { forgetJob, type JobSummary, listJobs, showJob } from './copy/jobs.ts';
export type { Progress } from './copy/pass.ts';
export type { RenameRule } from './copy/rename.ts';
export type { JobProgress, Report } from './copy/report.ts';
export { type CsvOptions, type CsvResult, writeCsv } from './manage/csv.ts';
export type { CsvLayout } from './manage/csv-layouts.ts';
export { deleteExperiments, type ExperimentOptions } from './manage/delete-experiments.ts';
export { type DeleteRunsOptions, deleteRuns } from './manage/delete-runs.ts';
export { type ListedRun, type ListOptions, listExperiments, listRuns } from './manage/list-runs.ts';
export type { ChoiceOptions, ManageOptions, ManageReport, PlanSummary } from './manage/manage-job.ts';
export { renameExperiment } from './manage/rename-experiment.ts';
export { renameRun } from './manage/rename-run.ts';
export { restoreExperiments } from './manage/restore-experiments.ts';
export { type RestoreRunsOptions, restoreRuns } from './manage/restore-runs.ts';
export { tagExperiments } from './manage/tag-experiments.ts';
export { tagRuns } from './manage/tag-runs.ts';
export { undo } from './manage/undo.ts';
export type { Failure, Findings, Loss, LossCode } from './model/findings.ts';
export * from './model/records.ts';
export type { Selection, View } from './model/selection.ts';
export { openManager, openReader, openWriter } from './places/open.ts';
export type * from './places/place.ts';
export { addPoint, type HistoryAggregates, needsHistory } from './search/aggregates.ts';
export { compareRuns } from './search/compare-runs.ts';
export { evaluate, evaluateExperiment } from './search/evaluate.ts';
export type * from './search/expression.ts';
export { formatExpression, formatOrder } from './search/format-expression.ts';
export { parseOrderBy } from './search/parse-order-by.ts';
export { parseSearch } from './search/parse-search.ts';
export { type ErrorCode, type ErrorMeaning, errorCodes, MlferryError } from './util/errors.ts';
