import { createHash, randomUUID } from 'node:crypto';
import { z } from 'zod';
import { originId } from '../../../model/canonical.ts';
import {
  type EvaluationDatasetRecord,
  evaluationDatasetRecord,
  storedInputHash,
} from '../../../model/evaluation-dataset.ts';
import { canonicalJson } from '../../../model/typed-json.ts';
import type { ObjectWriter } from '../../objects.ts';
import { readRecords, WRAPPED } from '../read/evaluation-datasets.ts';
import { checkedRows } from '../read/store.ts';
import { fitDatasetRecord } from './fit-evaluation-dataset.ts';
import { type Cells, held, insertRow, updateRow } from './rows.ts';
import type { Target } from './target.ts';

const TABLE = 'evaluation_dataset_records';
const idRow = z.object({ dataset_record_id: z.string() });
const sourceJson = z.looseObject({
  source_type: z.string().optional(),
  source_data: z.record(z.string(), z.unknown()).optional(),
});

/** A record that is there, as far as it is remembered. */
interface KnownRecord {
  readonly dataset_record_id: string;
  readonly content: string;
}

/** Writes the records of evaluation datasets. A dataset has the same inputs once: that is how its records are found. */
export function datasetRecordWriter(target: Target): ObjectWriter {
  const { database, transactions } = target;
  /** Of each dataset: hash of the inputs → the record. */
  const known = new Map<string, Promise<Map<string, KnownRecord>>>();

  async function load(dataset_id: string): Promise<Map<string, KnownRecord>> {
    const found = new Map<string, KnownRecord>();
    for await (const record of readRecords(target, dataset_id))
      found.set(record.input_hash, {
        dataset_record_id: record.dataset_record_id,
        content: contentOf(record),
      });
    return found;
  }

  /** The id of the source where it is free. */
  async function freeId(wanted: string): Promise<string> {
    const sql = `SELECT "dataset_record_id" FROM "${TABLE}" WHERE "dataset_record_id" = ?`;
    const isTaken = (await checkedRows(target, idRow, sql, [wanted])).length > 0;
    return isTaken ? `dr-${randomUUID().replaceAll('-', '')}` : wanted;
  }

  return async (source, copy) => {
    const id = originId(copy.origin);
    const { record, losses } = fitDatasetRecord(target, evaluationDatasetRecord.parse(copy.remap({ id })));
    const { dataset_id, input_hash } = record;
    const loading = known.get(dataset_id) ?? load(dataset_id);
    known.set(dataset_id, loading);
    const there = await loading;
    const present = there.get(input_hash);
    const done = { id: `${dataset_id}/${input_hash}`, artifacts: 0, bytes: 0 };
    const content = contentOf(record);
    if (present?.content === content) return { ...done, outcome: 'unchanged' };
    for (const loss of losses) target.findings.loss({ ...loss, of: { kind: source.of.kind, id } });
    const outcome = present === undefined ? 'created' : 'updated';
    if (target.dryRun) return { ...done, outcome };
    await transactions.run(1, async () => {
      const cells = held(target, TABLE, cellsOf(record));
      const dataset_record_id = present?.dataset_record_id ?? (await freeId(record.dataset_record_id));
      const own: Cells = [['dataset_record_id', dataset_record_id]];
      if (present !== undefined) await updateRow(database, TABLE, own, cells, []);
      else
        await insertRow(
          database,
          TABLE,
          ['dataset_record_id'],
          [
            ...own,
            ['dataset_id', dataset_id],
            ['input_hash', storedInputHash(record.inputs)],
            ['created_time', record.created_time],
            ['created_by', record.created_by ?? null],
            ...cells,
          ],
        );
      there.set(input_hash, { dataset_record_id, content });
    });
    return { ...done, outcome };
  };
}

/** What of a record a copy may change. */
function cellsOf({ inputs, outputs, expectations, tags, source, ...record }: EvaluationDatasetRecord): Cells {
  const told = source === undefined ? undefined : sourceJson.safeParse(JSON.parse(source)).data;
  const from = told?.source_data?.trace_id ?? told?.source_data?.source_id;
  return [
    ['inputs', inputs],
    ['outputs', outputs === undefined ? null : `{"${WRAPPED}": ${outputs}}`],
    ['expectations', expectations ?? null],
    ['tags', tags ?? null],
    ['source', source ?? null],
    ['source_id', typeof from === 'string' && from.length <= 36 ? from : null],
    ['source_type', told?.source_type ?? null],
    ['last_update_time', record.last_update_time],
    ['last_updated_by', record.last_updated_by ?? null],
  ];
}

/** The same for every order of keys. */
function contentOf({ outputs, expectations, tags, source }: EvaluationDatasetRecord): string {
  const texts = [outputs, expectations, tags, source].map((json = 'null') => canonicalJson(json));
  return createHash('sha256').update(texts.join('\n')).digest('hex');
}
