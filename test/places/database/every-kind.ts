import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { z } from 'zod';
import { locate } from '../../../src/kinds/remap-object.ts';
import { withoutBookkeeping } from '../../../src/model/canonical.ts';
import { printSpan, printTraceData } from '../../../src/model/mlflow/trace-data.ts';
import { ALL_ACTIVE } from '../../../src/model/selection.ts';
import type { Span } from '../../../src/model/trace.ts';
import { VERSION_FILES } from '../../../src/places/database/write/fit-registry.ts';
import { openReader } from '../../../src/places/open.ts';
import { collect, readerOptions } from '../memory-workspace.ts';
import { experimentRow, makeDatabase, runRow, type TestDatabase } from './make-database.ts';

/** A run of {@link fillEveryKind}. */
export const A = 'a'.repeat(32);

/** Where the files of a version are that has no run: beside the database. */
const OWN_FILES = `./mlruns/${VERSION_FILES}/b-11/artifacts`;

/** A database with objects of every kind that MLflow keeps in one, with every field. */
export function fillEveryKind(path: string): TestDatabase {
  const files = join(dirname(path), OWN_FILES);
  mkdirSync(files, { recursive: true });
  writeFileSync(join(files, 'weights'), 'of version 11');
  const database = makeDatabase(path);
  database.insert('experiments', experimentRow({ creation_time: 5, last_update_time: 6 }));
  database.insert('runs', runRow(), runRow({ run_uuid: 'b'.repeat(32), start_time: 1_700_000_000_001 }));
  database.insert('logged_models', {
    ...{
      model_id: 'm-1',
      experiment_id: 1,
      name: 'net',
      artifact_location: './mlruns/1/models/m-1/artifacts',
    },
    ...{ status: 2, creation_timestamp_ms: 1, last_updated_timestamp_ms: 2, source_run_id: A },
  });
  fillRegistry(database);
  fillTraces(database, dirname(path));
  fillEvaluation(database);
  return database;
}

function fillRegistry(database: TestDatabase): void {
  const times = { creation_time: 11, last_updated_time: 99 };
  database.insert(
    'registered_models',
    { name: 'b', ...times, description: 'two\nlines' },
    { name: 'ünï / 日本', creation_time: 12, last_updated_time: 99, description: null },
    { name: 'greeting', ...times, description: '' },
  );
  database.insert(
    'registered_model_tags',
    { name: 'b', key: 'k', value: 'v' },
    { name: 'greeting', key: 'mlflow.prompt.is_prompt', value: 'true' },
  );
  const version = { ...times, name: 'b', current_stage: 'None', status: 'READY' };
  database.insert(
    'model_versions',
    { ...version, version: 1, current_stage: 'Deleted_Internal', source: 'REDACTED-SOURCE-PATH' },
    {
      ...{
        ...version,
        version: 2,
        source: `./mlruns/1/${A}/artifacts/m`,
        run_id: A,
        current_stage: 'Production',
      },
      ...{ creation_time: 21, last_updated_time: 22, description: 'the second', user_id: 'somebody' },
      ...{ run_link: 'https://example.com/run', status: 'FAILED_REGISTRATION', status_message: 'no luck' },
      storage_location: `./mlruns/1/${A}/artifacts/m`,
    },
    {
      ...version,
      version: 10,
      source: 'models:/m-1',
      run_id: A,
      storage_location: './mlruns/1/models/m-1/artifacts',
    },
    { ...version, version: 11, source: OWN_FILES, storage_location: OWN_FILES },
    { ...version, name: 'ünï / 日本', version: 1, source: 'models:/b/2', storage_location: './mlruns/x' },
    { ...version, name: 'greeting', version: 3, source: 'dummy-source', storage_location: 'dummy-source' },
  );
  database.insert(
    'model_version_tags',
    { name: 'b', version: 2, key: 'k', value: `runs:/${A}/m` },
    { name: 'greeting', version: 3, key: 'mlflow.prompt.is_prompt', value: 'true' },
    { name: 'greeting', version: 3, key: 'mlflow.prompt.text', value: 'x'.repeat(20_000) },
  );
  database.insert(
    'registered_model_aliases',
    { name: 'b', alias: 'best', version: 10 },
    { name: 'b', alias: 'older', version: 2 },
    { name: 'greeting', alias: 'production', version: 3 },
  );
}

const IN_STORE = `tr-${'1'.repeat(32)}`;
const IN_FILE = `tr-${'2'.repeat(32)}`;
const ATTACHED = '00000000-0000-4000-8000-000000000001';

const span = (fields: Partial<Span>): Span => ({
  ...{ span_id: '00000000000000a1', name: 'root', start_time_unix_nano: '1700000000000000001' },
  ...{ end_time_unix_nano: '1700000000500000001', status_code: 'OK', experiment_id: '1' },
  attributes: { 'mlflow.spanType': '"CHAIN"', 'mlflow.spanInputs': '{"x": 1.0, "ü": [null, "日本"]}' },
  events: [{ name: 'said', time_unix_nano: '1700000000000000002', attributes: { n: '1' } }],
  links: [],
  ...fields,
});
const CHILD = span({
  ...{ span_id: '00000000000000a2', parent_span_id: '00000000000000a1', name: 'model', status_code: 'ERROR' },
  ...{ status_message: 'no answer', events: [] },
  attributes: {
    'mlflow.spanType': '"LLM"',
    'mlflow.llm.cost': '{"input_cost": 0.25, "output_cost": 1e-05, "total_cost": 0.25001}',
    'mlflow.llm.model': '"a-model"',
    'mlflow.llm.provider': '"somebody"',
  },
  links: [{ trace_id: IN_FILE, span_id: '00000000000000b1', attributes: { why: '"later"' } }],
});

function fillTraces(database: TestDatabase, directory: string): void {
  database.insert('trace_info', {
    ...{
      request_id: IN_STORE,
      experiment_id: 1,
      timestamp_ms: 1_700_000_000_000,
      execution_time_ms: 500,
      status: 'OK',
    },
    ...{ client_request_id: 'c-1', request_preview: 'asked', response_preview: 'told', trace_name: 'root' },
    ...{ session_id: 's-1', input_tokens: 3, output_tokens: 4, total_tokens: 7 },
    ...{ input_cost: 0.25, output_cost: 1e-5, total_cost: 0.25001 },
  });
  database.insert('trace_info', {
    ...{ request_id: IN_FILE, experiment_id: 1, timestamp_ms: 1_700_000_001_000, status: 'ERROR' },
  });
  const rootOf = (id: string) => `./mlruns/1/traces/${id}/artifacts`;
  const tag = (request_id: string, key: string, value: string) => ({ request_id, key, value });
  database.insert(
    'trace_tags',
    tag(IN_STORE, 'mlflow.artifactLocation', rootOf(IN_STORE)),
    tag(IN_STORE, 'mlflow.trace.spansLocation', 'TRACKING_STORE'),
    tag(IN_STORE, 'tone', `as in runs:/${A}/x`),
    tag(IN_FILE, 'mlflow.artifactLocation', rootOf(IN_FILE)),
  );
  database.insert(
    'trace_request_metadata',
    tag(IN_STORE, 'mlflow.sourceRun', A),
    tag(IN_STORE, 'mlflow.modelId', 'm-1'),
    tag(IN_STORE, 'mlflow.trace.infoFinalized', 'true'),
    tag(IN_STORE, 'k', 'x'.repeat(8000)),
  );
  for (const each of [span({}), CHILD])
    database.insert('spans', {
      ...{
        trace_id: IN_STORE,
        experiment_id: 1,
        span_id: each.span_id,
        name: each.name,
        status: each.status_code,
      },
      ...{
        parent_span_id: each.parent_span_id ?? null,
        start_time_unix_nano: BigInt(each.start_time_unix_nano),
      },
      content: printSpan(each, IN_STORE),
    });
  const files = join(directory, rootOf(IN_FILE));
  mkdirSync(files, { recursive: true });
  const attributes = { picture: JSON.stringify(`mlflow-attachment://${ATTACHED}?content_type=image`) };
  const inFile = span({ span_id: '00000000000000b1', attributes, events: [] });
  writeFileSync(join(files, 'traces.json'), printTraceData([inFile], IN_FILE, false));
  writeFileSync(join(files, ATTACHED), 'a picture');
  const said = { trace_id: IN_STORE, source_type: 'HUMAN', source_id: 'somebody', valid: 1, span_id: null };
  const times = (at: number) => ({ created_timestamp: at, last_updated_timestamp: at + 1 });
  database.insert(
    'assessments',
    {
      ...{
        ...said,
        ...times(31),
        assessment_id: 'a-1',
        name: 'good',
        assessment_type: 'feedback',
        value: '0.5',
      },
      ...{ valid: 0, rationale: 'so so', span_id: '00000000000000a2', assessment_metadata: '{"k": "v"}' },
    },
    {
      ...{
        ...said,
        ...times(33),
        assessment_id: 'a-2',
        name: 'good',
        assessment_type: 'feedback',
        value: '"yes"',
      },
      ...{ overrides: 'a-1', run_id: A, assessment_metadata: `{"mlflow.assessment.sourceRunId": "${A}"}` },
    },
    {
      ...{ ...said, ...times(35), assessment_id: 'a-3', name: 'wanted', assessment_type: 'expectation' },
      value: '[1, {"a": null}]',
    },
    {
      ...{
        ...said,
        ...times(37),
        assessment_id: 'a-4',
        name: 'failed',
        assessment_type: 'feedback',
        value: 'null',
      },
      error: '{"error_code": "E", "error_message": "no judge", "stack_trace": null}',
    },
    {
      ...{ ...said, ...times(39), assessment_id: 'a-5', name: 'iss-1', assessment_type: 'issue' },
      value: '{"issue_name": "slow"}',
    },
  );
  const link = { source_type: 'trace', source_id: IN_STORE };
  database.insert(
    'entity_associations',
    { ...link, association_id: 'l-1', destination_type: 'run', destination_id: 'b'.repeat(32) },
    { ...link, association_id: 'l-2', destination_type: 'prompt_version', destination_id: 'greeting/3' },
  );
}

function fillEvaluation(database: TestDatabase): void {
  database.insert('scorers', { experiment_id: 1, scorer_name: 'polite', scorer_id: 's' });
  for (const version of [2, 5])
    database.insert('scorer_versions', {
      ...{ scorer_id: 's', scorer_version: version, creation_time: 40 + version },
      serialized_scorer: `{"name": "polite", "number": ${version}, "text": "ü"}`,
    });
  database.insert(
    'evaluation_datasets',
    {
      ...{
        dataset_id: 'd-1',
        name: 'judged',
        digest: 'abc',
        schema: '{"inputs": {}}',
        profile: '{"num_records": 2}',
      },
      ...{ created_time: 51, last_update_time: 52, created_by: 'somebody', last_updated_by: 'another' },
    },
    { dataset_id: 'd-2', name: 'judged', created_time: 53, last_update_time: 54 },
  );
  database.insert('evaluation_dataset_tags', { dataset_id: 'd-1', key: 'k', value: 'v' });
  database.insert('entity_associations', {
    ...{ association_id: 'e-1', source_type: 'evaluation_dataset', source_id: 'd-1' },
    ...{ destination_type: 'experiment', destination_id: '1' },
  });
  const inputs = '{"b": 1.0, "a": [1, null, "\\u00fc\\ud83d\\ude00"]}';
  database.insert(
    'evaluation_dataset_records',
    {
      ...{ dataset_record_id: 'dr-1', dataset_id: 'd-1', created_time: 61, last_update_time: 62, inputs },
      ...{
        created_by: 'somebody',
        last_updated_by: 'another',
        outputs: '{"mlflow_wrapped": [1, {"x": 2.50}]}',
      },
      ...{ expectations: '{"good": true}', tags: '{"k": "v"}', source_type: 'TRACE', source_id: IN_STORE },
      source: `{"source_type": "TRACE", "source_data": {"trace_id": "${IN_STORE}"}}`,
      input_hash: '08a835d63fbb353d7047bb1985d0820c6170fd7efe8fedefb6f9bd97988a2b52',
    },
    {
      ...{
        dataset_record_id: 'dr-2',
        dataset_id: 'd-1',
        created_time: 63,
        last_update_time: 64,
        inputs: '{}',
      },
      input_hash: '44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a',
    },
  );
}

const record = z.looseObject({ tags: z.union([z.string(), z.record(z.string(), z.string())]).optional() });

/**
 * What a database has of a kind, but for what a copy must have otherwise: mlferry's own tags, and where files are. `failures` must be
 * none.
 */
export async function objectsOf(location: string, kind: string, tempDir: string) {
  const { options, failures } = readerOptions(tempDir);
  const reader = await openReader(location, options);
  const selection = { ...ALL_ACTIVE, view: 'all' } as const;
  const experiments = await collect(reader.experiments(selection));
  const scope = { selection, experiments, isChosen: () => true, isHeld: () => true };
  const source = reader.objects?.get(kind);
  const all = source === undefined ? [] : await collect(source.read(scope));
  const records = await Promise.all(all.map((each) => each.whole?.() ?? each.record));
  await reader.close();
  return {
    failures,
    records: records.map((each) => {
      const { tags, source: from, artifact_uri: _, ...rest } = record.parse(each);
      return {
        ...rest,
        ...(tags === undefined ? {} : { tags: typeof tags === 'string' ? tags : withoutBookkeeping(tags) }),
        ...(from === undefined ? {} : { source: sourceOf(String(from)) }),
      };
    }),
  };
}

/** A version's source: of files of its own only that they are. */
function sourceOf(uri: string): string {
  return uri.includes(`/${VERSION_FILES}/`) ? VERSION_FILES : locate(uri, () => true);
}
