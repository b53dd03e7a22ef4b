import { randomUUID } from 'node:crypto';
import { z } from 'zod';
import { objectDigest } from '../../../kinds/object-digest.ts';
import { DIGEST_TAG, ORIGIN_TAG, originId } from '../../../model/canonical.ts';
import { type EvaluationDataset, evaluationDataset } from '../../../model/evaluation-dataset.ts';
import { compareInt64 } from '../../../model/int64.ts';
import { ownValue, type StringMap } from '../../../model/string-map.ts';
import { MlferryError } from '../../../util/errors.ts';
import type { ObjectWriter } from '../../objects.ts';
import { readDataset } from '../read/evaluation-datasets.ts';
import { checkedRows, inWorkspace } from '../read/store.ts';
import { fitDataset } from './fit-evaluation-dataset.ts';
import { type Cells, insertRow, setTexts, updateRow, workspaceCell } from './rows.ts';
import type { Target } from './target.ts';

const copyRow = z.object({ dataset_id: z.string(), origin: z.string() });

/** Writes evaluation datasets (MLflow 3.4 and newer), found again by their origin. */
export function evaluationDatasetWriter(target: Target): ObjectWriter {
  let reading: Promise<Map<string, string>> | undefined;
  return async (source, copy) => {
    const id = originId(copy.origin);
    reading ??= readCopies(target);
    const known = (await reading).get(id);
    const taken = known === undefined ? await readDataset(target, id) : undefined;
    const dataset_id = known ?? id;
    const wanted = evaluationDataset.parse(copy.remap({ id: dataset_id }));
    const { record, losses } = fitDataset(target, wanted);
    const present = known === undefined ? taken : await readDataset(target, known);
    const isForeign = taken !== undefined;
    if (isForeign && objectDigest(source.of, record) !== objectDigest(source.of, taken))
      throw new MlferryError(
        'REFUSED',
        'The target has an evaluation dataset of this id already, which is another one: it was left as it is',
        { hint: 'Delete it on the target, or leave it out of the selection.' },
      );
    const done = { id: dataset_id, artifacts: 0, bytes: 0 };
    const isCurrent = present !== undefined && ownValue(present.tags, DIGEST_TAG) === copy.digest;
    // Its records may have changed: then the source has worked out its digest, schema and profile anew.
    const isNewer =
      present !== undefined && compareInt64(record.last_update_time, present.last_update_time) > 0;
    if (isCurrent && !isNewer) return { ...done, outcome: 'unchanged' };
    for (const loss of losses)
      target.findings.loss({ ...loss, of: { kind: source.of.kind, id, name: record.name } });
    if (target.dryRun) return { ...done, outcome: present === undefined ? 'created' : 'updated' };
    const marks = { [ORIGIN_TAG]: copy.origin, [DIGEST_TAG]: copy.digest };
    const changes = await target.transactions.run(10, () =>
      writeRows(target, record, present, marks, isNewer),
    );
    (await reading).set(id, dataset_id);
    if (present === undefined) return { ...done, outcome: 'created' };
    return { ...done, outcome: isForeign || changes === 0 ? 'unchanged' : 'updated' };
  };
}

async function writeRows(
  target: Target,
  record: EvaluationDataset,
  present: EvaluationDataset | undefined,
  marks: StringMap,
  isNewer: boolean,
): Promise<number> {
  const { database } = target;
  const own: Cells = [['dataset_id', record.dataset_id]];
  const cellsOf = (each: EvaluationDataset): Cells => [
    ['name', each.name],
    ['schema', each.schema ?? null],
    ['profile', each.profile ?? null],
    ['digest', each.digest ?? null],
    ['last_update_time', each.last_update_time],
    ['last_updated_by', each.last_updated_by ?? null],
  ];
  let changes = 0;
  if (present === undefined)
    changes += await insertRow(
      database,
      'evaluation_datasets',
      ['dataset_id'],
      [
        ...own,
        ...workspaceCell(target, 'evaluation_datasets'),
        ['created_time', record.created_time],
        ['created_by', record.created_by ?? null],
        ...cellsOf(record),
      ],
    );
  else if (isNewer)
    changes += await updateRow(database, 'evaluation_datasets', own, cellsOf(record), cellsOf(present));
  const tags = { table: 'evaluation_dataset_tags', key: 'key', value: 'value', own };
  changes += await setTexts(database, tags, { ...record.tags, ...marks }, present?.tags);
  const held = new Set(present?.experiment_ids);
  const key = ['source_type', 'source_id', 'destination_type', 'destination_id'];
  return (
    changes +
    (await database.insert(
      { table: 'entity_associations', columns: ['association_id', ...key, 'created_time'], key },
      record.experiment_ids
        .filter((experiment_id) => !held.has(experiment_id))
        .map((experiment_id) => [
          ...[randomUUID().replaceAll('-', ''), 'evaluation_dataset', record.dataset_id, 'experiment'],
          ...[experiment_id, record.created_time],
        ]),
    ))
  );
}

/** Source dataset_id → its copy in the workspace. */
async function readCopies(target: Target): Promise<Map<string, string>> {
  const { where, parameters } = inWorkspace(target, 'evaluation_datasets');
  const rows = await checkedRows(
    target,
    copyRow,
    'SELECT "tags"."dataset_id" AS "dataset_id", "tags"."value" AS "origin" FROM "evaluation_dataset_tags" AS "tags"' +
      ' JOIN "evaluation_datasets" ON "evaluation_datasets"."dataset_id" = "tags"."dataset_id"' +
      ` WHERE "tags"."key" = '${ORIGIN_TAG}' AND ${where}`,
    parameters,
  );
  return new Map(rows.map(({ dataset_id, origin }) => [originId(origin), dataset_id]));
}
