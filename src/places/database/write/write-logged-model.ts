import { randomUUID } from 'node:crypto';
import { z } from 'zod';
import { describeObject } from '../../../kinds/kinds.ts';
import { objectDigest } from '../../../kinds/object-digest.ts';
import { DIGEST_TAG, ORIGIN_TAG, originId, withoutBookkeeping } from '../../../model/canonical.ts';
import type { FoundObject } from '../../../model/findings.ts';
import type { RunLoss } from '../../../model/fit-run.ts';
import { type LoggedModel, loggedModel, MODEL_STATUSES } from '../../../model/logged-model.ts';
import { toDouble } from '../../../model/metric-value.ts';
import { ownValue, type StringMap } from '../../../model/string-map.ts';
import { MlferryError } from '../../../util/errors.ts';
import { fileFailure } from '../../file-failure.ts';
import type { ObjectReader, ObjectTarget, ObjectWriter, WrittenObject } from '../../objects.ts';
import { numericId } from '../read/cells.ts';
import { readModel } from '../read/logged-models.ts';
import { checkedRows } from '../read/store.ts';
import { fitModel } from './fit-logged-model.ts';
import { type Cells, insertRow, setTexts, type TextTable, updateRow } from './rows.ts';
import { writeRunFiles } from './run-files.ts';
import type { Target } from './target.ts';
import type { TargetExperiments } from './target-experiments.ts';

/** A copy of a logged model. */
interface KnownModel {
  readonly model_id: string;
  readonly experiment_id: string;
}

const copyRow = z.object({ model_id: z.string(), experiment_id: numericId, origin: z.string() });
const idRow = z.object({ model_id: z.string() });

/** Writes logged models (MLflow 3): files first, then all rows in one transaction; one that is there is completed. */
export function loggedModelWriter(target: Target, experiments: TargetExperiments): ObjectWriter {
  let reading: Promise<Map<string, KnownModel[]>> | undefined;

  return async (source, copy) => {
    const { experiment_id } = loggedModel.parse(copy.remap({ id: 'new' }));
    const { record: experiment } = experiments.get(experiment_id);
    const id = originId(copy.origin);
    reading ??= readCopies(target);
    const copied = (await reading).get(id)?.find((each) => each.experiment_id === experiment_id);
    const of: FoundObject = { kind: source.of.kind, id };
    const note = (loss: RunLoss) => target.findings.loss({ ...loss, of, experiment_name: experiment.name });
    const nothing = { artifacts: 0, bytes: 0 };
    const taken = copied === undefined ? await readModel(target, id) : undefined;
    const isForeign = taken !== undefined && ownValue(taken.tags, ORIGIN_TAG) === undefined;
    const isSame = taken?.experiment_id === experiment_id && objectDigest(source.of, taken) === copy.digest;
    if (isForeign && !isSame)
      throw new MlferryError(
        'REFUSED',
        'The target has a logged model of this id already, which is no copy of mlferry’s: it was left as it is',
        { hint: 'Delete it for good on the target, or leave it out of the selection.' },
      );
    // The very same, which somebody else brought, counts as the copy.
    const known = copied ?? (isForeign ? { model_id: id, experiment_id } : undefined);
    const model_id = known?.model_id ?? (await freeId(target, id));
    if (known === undefined && model_id !== id) {
      const detail = `the database has another logged model of this id; the copy is ${model_id}`;
      note({ code: 'RUN_ID_TAKEN', detail });
    }
    const present = known && (await readModel(target, model_id));
    if (known !== undefined && present === undefined) {
      const detail = `its copy ${model_id} was deleted on the target and was left deleted`;
      note({ code: 'LEFT_DELETED', detail });
      return { id: model_id, outcome: 'left', ...nothing };
    }
    const artifact_uri =
      present?.artifact_uri ?? `${experiment.artifact_location}/models/${model_id}/artifacts`;
    const wanted = loggedModel.parse(copy.remap({ id: model_id, artifact_uri }));
    const isPending = wanted.status === 'LOGGED_MODEL_PENDING';
    if (present !== undefined && ownValue(present.tags, DIGEST_TAG) === copy.digest && !isPending)
      return { id: model_id, outcome: 'unchanged', ...nothing };
    const { record, losses } = isForeign
      ? { record: taken, losses: [] }
      : fitModel(target, { ...wanted, artifact_uri }, present?.metrics);
    for (const loss of losses) note(loss);
    const written = await write({ target, source, copy, record, present, isForeign, of, note });
    if (known === undefined && !target.dryRun)
      (await reading).set(id, [...((await reading).get(id) ?? []), { model_id, experiment_id }]);
    return written;
  };
}

interface ModelJob {
  readonly target: Target;
  readonly source: ObjectReader;
  readonly copy: ObjectTarget;
  readonly record: LoggedModel;
  readonly present: LoggedModel | undefined;
  /** Somebody else brought it: nothing but marks is set. */
  readonly isForeign: boolean;
  readonly of: FoundObject;
  note(loss: RunLoss): void;
}

async function write({
  target,
  source,
  copy,
  record,
  present,
  isForeign,
  of,
  note,
}: ModelJob): Promise<WrittenObject> {
  const { transactions, dryRun } = target;
  const { model_id, artifact_uri } = record;
  const directory = await target.roots.directoryOf({ id: model_id, artifact_uri });
  const words = describeObject({ ...of, name: record.name });
  const files = await writeRunFiles({
    ...{ target, source, artifact_uri, directory, note },
    fail: (path, error) => target.findings.failure(fileFailure(path, error, { words, of })),
  });
  const tags = {
    ...withoutBookkeeping(record.tags),
    [ORIGIN_TAG]: copy.origin,
    ...(files.isWhole && !files.isMissing ? { [DIGEST_TAG]: copy.digest } : {}),
  };
  const changes = dryRun
    ? Number(present === undefined)
    : await transactions.run(record.metrics.length + 20, () =>
        writeRows(target, record, present, tags, note),
      );
  const { artifacts, bytes } = files;
  const changed = artifacts + (isForeign ? 0 : changes) > 0;
  const outcome = present === undefined ? 'created' : changed ? 'updated' : 'unchanged';
  return { id: model_id, outcome, artifacts, bytes };
}

/** Inserts what is missing of a model's rows; their number. */
async function writeRows(
  target: Target,
  record: LoggedModel,
  present: LoggedModel | undefined,
  tags: StringMap,
  note: ModelJob['note'],
): Promise<number> {
  const { database } = target;
  const { model_id, experiment_id } = record;
  let changes = await writeModelRow(target, record, present);
  const there = present?.params ?? {};
  const params = { table: 'logged_model_params', key: 'param_key', value: 'param_value' };
  changes += await setTexts(
    database,
    { ...tagsOf(record), ...params },
    { ...record.params, ...there },
    there,
  );
  for (const [key, value] of Object.entries(record.params)) {
    if ((ownValue(there, key) ?? value) === value) continue;
    note({
      code: 'VALUE_CONFLICT',
      key,
      detail: 'the param has another value on the target, which was kept',
    });
  }
  changes += await setTexts(database, tagsOf(record), tags, present?.tags);
  changes += await database.insert(
    {
      table: 'logged_model_metrics',
      columns: [
        ...['model_id', 'metric_name', 'metric_timestamp_ms', 'metric_step', 'metric_value', 'experiment_id'],
        ...['run_id', 'dataset_name', 'dataset_digest'],
      ],
      key: ['model_id', 'metric_name', 'metric_timestamp_ms', 'metric_step', 'run_id'],
    },
    record.metrics.map(
      ({ key, timestamp, step, value, run_id = null, dataset_name = null, dataset_digest = null }) => [
        ...[
          model_id,
          key,
          timestamp,
          step,
          toDouble(value),
          experiment_id,
          run_id,
          dataset_name,
          dataset_digest,
        ],
      ],
    ),
  );
  return changes;
}

const tagsOf = ({ model_id, experiment_id }: LoggedModel): TextTable => ({
  ...{ table: 'logged_model_tags', key: 'tag_key', value: 'tag_value' },
  own: [['model_id', model_id]],
  more: [['experiment_id', experiment_id]],
});

async function writeModelRow(
  { database }: Target,
  record: LoggedModel,
  present: LoggedModel | undefined,
): Promise<number> {
  const own: Cells = [['model_id', record.model_id]];
  const cellsOf = (model: LoggedModel): Cells => [
    ['name', model.name],
    ['last_updated_timestamp_ms', model.last_updated_timestamp_ms],
    ['status', MODEL_STATUSES.indexOf(model.status)],
    ['model_type', model.model_type ?? null],
    ['source_run_id', model.source_run_id ?? null],
    ['status_message', model.status_message ?? null],
  ];
  if (present !== undefined)
    return updateRow(database, 'logged_models', own, cellsOf(record), cellsOf(present));
  return insertRow(
    database,
    'logged_models',
    ['model_id'],
    [
      ...own,
      ['experiment_id', record.experiment_id],
      ['artifact_location', record.artifact_uri],
      ['creation_timestamp_ms', record.creation_timestamp_ms],
      ['lifecycle_stage', 'active'],
      ...cellsOf(record),
    ],
  );
}

/** The wanted id where no model has it, not even a deleted one; else a new one. */
async function freeId(target: Target, wanted: string): Promise<string> {
  const sql = 'SELECT "model_id" FROM "logged_models" WHERE "model_id" = ?';
  const taken = await checkedRows(target, idRow, sql, [wanted]);
  const isFree = taken.length === 0 && wanted.length <= target.tables.length('logged_models', 'model_id');
  return isFree ? wanted : `m-${randomUUID().replaceAll('-', '')}`;
}

/** Source model_id → its copies. */
async function readCopies(target: Target): Promise<Map<string, KnownModel[]>> {
  const columns = target.tables.columns('logged_models', ['model_id', 'experiment_id']);
  const rows = await checkedRows(
    target,
    copyRow,
    `SELECT ${columns}, "tags"."tag_value" AS "origin" FROM "logged_model_tags" AS "tags"` +
      ' JOIN "logged_models" ON "logged_models"."model_id" = "tags"."model_id" WHERE "tags"."tag_key" = ?',
    [ORIGIN_TAG],
  );
  const copies = new Map<string, KnownModel[]>();
  for (const { origin, ...copy } of rows) {
    const source = originId(origin);
    copies.set(source, [...(copies.get(source) ?? []), copy]);
  }
  return copies;
}
