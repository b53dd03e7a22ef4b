/**
 * mlferry as a library: the verbs of the command line. Every place is named by its location text.
 */
export type { CopyResult } from './copy/copy.ts';
export { copyBetween as copy } from './copy/copy-between.ts';
export type { ObjectCounts, Report } from './copy/report.ts';
export { explain } from './inspect/explain.ts';
export { type Counts, inspect, type ObjectAmount, type Summary } from './inspect/inspect.ts';
export type { CopyRules, JobOptions, OnePlaceOptions, TwoPlaceOptions } from './job/job-options.ts';
export { forgetJob, type JobSummary, listJobs, pruneJobs, showJob } from './job/jobs.ts';
export type { JobProgress } from './job/journal.ts';
export {
  type Found,
  type OpenOptions,
  type OpenWriterOptions,
  openManager,
  openReader,
  openWriter,
} from './job/open-place.ts';
export type { Progress } from './job/progress.ts';
export type { RenameRule } from './job/rename.ts';
export type { FileOptions } from './kinds/file-rules.ts';
export type { Ids } from './kinds/id-map.ts';
export type { ObjectKind, ObjectRecord } from './kinds/kind.ts';
export { FORMAT_VERSION, KINDS } from './kinds/kinds.ts';
export { PART_WORDS } from './kinds/part-words.ts';
export type { PartOptions } from './kinds/parts.ts';
export * from './kinds/wire-record.ts';
export { removeModelAliases, setModelAlias } from './manage/alias-models.ts';
export type { ModelChoiceOptions } from './manage/chosen-models.ts';
export type { ChosenRun, Times } from './manage/chosen-runs.ts';
export { type CsvOptions, type CsvResult, writeCsv } from './manage/csv.ts';
export type { CsvLayout } from './manage/csv-layout-names.ts';
export { deleteExperiments, type ExperimentOptions } from './manage/delete-experiments.ts';
export { type DeleteModelsOptions, deleteModels } from './manage/delete-models.ts';
export { type DeleteRunsOptions, deleteRuns } from './manage/delete-runs.ts';
export type { FoundFiles } from './manage/files-of.ts';
export {
  type GetArtifactsOptions,
  type GetProgress,
  type GotArtifact,
  type GotArtifacts,
  getArtifacts,
} from './manage/get-artifacts.ts';
export { iterateRuns } from './manage/iterate-runs.ts';
export {
  type ArtifactList,
  type ListArtifactsOptions,
  type ListedArtifact,
  listArtifacts,
} from './manage/list-artifacts.ts';
export { type ListedModel, listModels } from './manage/list-models.ts';
export { type ListOptions, listExperiments, listRuns } from './manage/list-runs.ts';
export type { ChoiceOptions, ManageOptions, ManageReport, PlanSummary } from './manage/manage-job.ts';
export { openArtifact } from './manage/open-artifact.ts';
export type { MoveRunsOptions } from './manage/plan-move.ts';
export { renameExperiment } from './manage/rename-experiment.ts';
export { renameRun } from './manage/rename-run.ts';
export { restoreExperiments } from './manage/restore-experiments.ts';
export { type RestoreRunsOptions, restoreRuns } from './manage/restore-runs.ts';
export type { ListedRun } from './manage/sorted-runs.ts';
export { tagExperiments } from './manage/tag-experiments.ts';
export { tagModels } from './manage/tag-models.ts';
export { tagRuns } from './manage/tag-runs.ts';
export { type TransitionModelsOptions, transitionModels } from './manage/transition-models.ts';
export { undo } from './manage/undo.ts';
export { type MirrorOptions, type MirrorResult, mirror } from './mirror/mirror.ts';
export type { Failure, Findings, FoundObject, Loss, LossCode } from './model/findings.ts';
export type { MetricsRecord } from './model/metrics-line.ts';
export { listPoints, type Points, pointAt, pointsOf } from './model/points.ts';
export * from './model/records.ts';
export type { Selection, View } from './model/selection.ts';
export { moveRuns } from './move/move-runs.ts';
export type * from './places/place.ts';
export type { MovingRun, RunKey, RunMover } from './places/run-mover.ts';
export type { PlaceTraits } from './places/traits.ts';
export { addPoints, type HistoryAggregates, needsHistory } from './search/aggregates.ts';
export { compareRuns } from './search/compare-runs.ts';
export { evaluate, evaluateExperiment } from './search/evaluate.ts';
export { evaluateObject } from './search/evaluate-object.ts';
export type * from './search/expression.ts';
export { formatExpression, formatOrder } from './search/format-expression.ts';
export { parseOrderBy } from './search/parse-order-by.ts';
export { parseSearch } from './search/parse-search.ts';
export { type Bandwidth, limitBandwidth } from './util/bandwidth.ts';
export { type ErrorCode, type ErrorMeaning, errorCodes, MlferryError } from './util/errors.ts';
export type { Difference } from './verify/difference.ts';
export type { VerifyItem, VerifyReport } from './verify/report.ts';
export { type VerifyOptions, verify } from './verify/verify.ts';
