import { randomUUID } from 'node:crypto';
import type { RunLoss } from '../../../model/fit-run.ts';
import { toJson } from '../../../model/json.ts';
import { linkedPrompts } from '../../../model/mlflow/linked-prompts.ts';
import type { StringMap } from '../../../model/string-map.ts';
import type { Span, Trace } from '../../../model/trace.ts';
import { insertInto, onConflict, placeholders } from '../connect/database.ts';
import { pairsOf } from '../read/store.ts';
import { tokenCells } from './promoted-values.ts';
import { type Cells, insertRow, setTexts, updateRow } from './rows.ts';
import type { Target } from './target.ts';
import { textFitter } from './text-fitter.ts';
import { assessmentCells, costsOf, infoCells, spanCells, traceMaps } from './trace-rows.ts';

/** The rows of a trace on their way. */
interface TraceRows {
  readonly target: Target;
  readonly record: Trace;
  readonly present: Trace | undefined;
  /** Those that go to the store. */
  readonly spans: readonly Span[];
  /** Tags of mlferry's, and of where the trace is. */
  readonly marks: StringMap;
  /** Whether MLflow keeps sums of days in this database, see {@link usesRollups}. */
  readonly rebuilds: boolean;
  note(loss: RunLoss): void;
}

/** Inserts or changes what a trace lacks, in a transaction; how many rows. */
export async function writeTraceRows(rows: TraceRows): Promise<number> {
  const { target, record, present, marks } = rows;
  const { database, tables } = target;
  const { trace_id } = record;
  const own: Cells = [['request_id', trace_id]];
  const info = infoCells(tables, record);
  let changes =
    present === undefined
      ? await insertRow(
          database,
          'trace_info',
          ['request_id'],
          [...own, ['experiment_id', record.experiment_id], ...info],
        )
      : await updateRow(database, 'trace_info', own, info, infoCells(tables, present));
  const { metadata, tags } = traceMaps(tables, record);
  for (const [table, wanted] of [
    ['trace_request_metadata', metadata],
    ['trace_tags', { ...tags, ...marks }],
  ] as const) {
    const there = present && (await pairsOf(target, { table, own: 'request_id' }, [trace_id]));
    changes += await setTexts(
      database,
      { table, key: 'key', value: 'value', own },
      wanted,
      there?.(trace_id),
    );
  }
  changes += await writeSpans(rows);
  changes += await writeAssessments(rows);
  changes += await writeLinks(target, record);
  if (!tables.has('trace_info', 'input_tokens'))
    await setNumbers(target, 'trace_metrics', own, tokenCells(record.trace_metadata));
  if (changes > 0 && rows.rebuilds) await rebuildRollups(target, record);
  return changes;
}

const columnsOf = (cells: Cells) => cells.map(([column]) => column);
const valuesOf = (cells: Cells) => cells.map(([, cell]) => cell);

async function writeSpans({ target, record, present, spans }: TraceRows): Promise<number> {
  const { database, tables } = target;
  const there = new Map(present?.spans.map((span) => [span.span_id, toJson(span)]));
  const ownOf = ({ span_id }: Span): Cells => [
    ['trace_id', record.trace_id],
    ['span_id', span_id],
  ];
  const rowOf = (span: Span): Cells => [...ownOf(span), ...spanCells(tables, record, span)];
  const added = spans.filter(({ span_id }) => !there.has(span_id));
  const changed = spans.filter((span) => (there.get(span.span_id) ?? toJson(span)) !== toJson(span));
  let changes = 0;
  const [first] = added;
  if (first !== undefined) {
    const into = { table: 'spans', columns: columnsOf(rowOf(first)), key: ['trace_id', 'span_id'] };
    changes += await database.insert(
      into,
      added.map((span) => valuesOf(rowOf(span))),
    );
  }
  for (const span of changed)
    changes += await updateRow(database, 'spans', ownOf(span), spanCells(tables, record, span), []);
  if (!tables.has('spans', 'total_cost'))
    for (const span of [...added, ...changed])
      await setNumbers(target, 'span_metrics', ownOf(span), costsOf(span));
  return changes;
}

/** Sets numbers of a trace or span that older schemas keep in a table, a row for each name. */
async function setNumbers(
  { database, tables }: Target,
  table: 'trace_metrics' | 'span_metrics',
  own: Cells,
  numbers: Cells,
): Promise<void> {
  if (!tables.has(table)) return;
  const columns = [...columnsOf(own), 'key', 'value'];
  const key = [...columnsOf(own), 'key'];
  const sql = `${insertInto({ table, columns, key })} VALUES (${placeholders(columns)})${onConflict(key, ['value'])}`;
  for (const [name, value] of numbers)
    if (value !== null) await database.change(sql, [...valuesOf(own), name, value]);
}

async function writeAssessments({ target, record, present, note }: TraceRows): Promise<number> {
  const { database, tables } = target;
  if (record.assessments.length === 0) return 0;
  const there = new Map(present?.assessments.map((each) => [each.assessment_id, each]));
  let taken = 0;
  let changes = 0;
  for (const assessment of record.assessments) {
    const own: Cells = [['assessment_id', assessment.assessment_id]];
    const cells = assessmentCells(tables, record, assessment);
    const before = there.get(assessment.assessment_id);
    if (before !== undefined) {
      const mine: Cells = [...own, ['trace_id', record.trace_id]];
      const found = assessmentCells(tables, { ...record, ...timeOf(present) }, before);
      changes += await updateRow(database, 'assessments', mine, cells, found);
      continue;
    }
    const row = [...own, ...cells];
    const into = { table: 'assessments', columns: columnsOf(row), key: ['assessment_id'] };
    const inserted = await database.insert(into, [valuesOf(row)]);
    changes += inserted;
    taken += 1 - inserted;
  }
  if (taken > 0) {
    const detail = 'the database has other assessments of these ids, in other traces: they are left out';
    note({ code: 'TRACE_FIELDS', key: 'assessments', count: taken, detail });
  }
  return changes;
}

const timeOf = (present: Trace | undefined) =>
  present === undefined ? {} : { request_time: present.request_time };

/** Links to runs, and to versions of prompts, which tags tell, too. */
async function writeLinks(target: Target, record: Trace): Promise<number> {
  const { database, tables } = target;
  if (!tables.has('entity_associations')) return 0;
  const { holds } = textFitter(target, '');
  const links = [
    ...record.linked_runs.map(({ run_id }) => ['run', run_id] as const),
    ...linkedPrompts(record.tags).map(
      ({ name, version }) => ['prompt_version', `${name}/${version}`] as const,
    ),
  ].filter(([, id]) => holds('entity_associations', 'destination_id', id));
  const key = ['source_type', 'source_id', 'destination_type', 'destination_id'];
  const into = { table: 'entity_associations', columns: ['association_id', ...key, 'created_time'], key };
  return database.insert(
    into,
    links.map(([type, id]) => [newId(), 'trace', record.trace_id, type, id, Date.now()]),
  );
}

const newId = () => randomUUID().replaceAll('-', '');

/** Has MLflow work out the sums of the days again that traces came to (mlflow/store/tracking/utils/sql_trace_rollups.py). */
async function rebuildRollups(
  { database }: Target,
  { experiment_id, request_time, spans }: Trace,
): Promise<void> {
  const day = (ms: number) => new Date(ms).toISOString().slice(0, 10);
  const days = new Set([
    ...['trace_metric', 'assessment'].map((family) => `${day(Number(request_time))} ${family}`),
    ...spans.map((span) => `${day(Number(span.start_time_unix_nano) / 1e6)} span_cost`),
  ]);
  const columns = ['experiment_id', 'rollup_day', 'rollup_family'];
  await database.insert(
    { table: 'sql_trace_rollup_rebuild_queue', columns, key: columns },
    [...days].map((each) => [experiment_id, ...each.split(' ')]),
  );
}

/** Whether MLflow keeps such sums in this database. */
export async function usesRollups(target: Target): Promise<boolean> {
  if (!target.tables.has('sql_trace_rollup_rebuild_queue')) return false;
  const sql = 'SELECT "id" FROM "sql_trace_metric_daily_rollups" LIMIT 1';
  return (await target.database.rows(sql)).length > 0;
}
