import { createHash } from 'node:crypto';
import { setImmediate } from 'node:timers/promises';
import { originId } from '../../../model/canonical.ts';
import { type EvaluationDatasetRecord, evaluationDatasetRecord } from '../../../model/evaluation-dataset.ts';
import { canonicalJson } from '../../../model/typed-json.ts';
import { MlferryError } from '../../../util/errors.ts';
import type { ObjectWriter } from '../../objects.ts';
import type { TargetContext } from './target-context.ts';

/** Writes the records of evaluation datasets. */
export interface DatasetRecordWriter {
  readonly write: ObjectWriter;
  /** Reads back every dataset that was written to; what is not there, or is other, is a MISMATCH failure. */
  readBack(): Promise<void>;
}

/** Most records in one request. */
const MOST = 100;

interface Waiting {
  readonly content: string;
  readonly done: PromiseWithResolvers<void>;
}

/** See {@link DatasetRecordWriter}. A dataset has the same inputs once: that is how its records are found. */
export function datasetRecordWriter({ routes, findings }: TargetContext): DatasetRecordWriter {
  /** Hash of the inputs → digest of the content, of the target's records, by dataset. */
  const held = new Map<string, Promise<Map<string, string>>>();
  const written = new Map<string, Map<string, string>>();
  const waiting = new Map<string, Waiting[]>();

  async function load(dataset_id: string): Promise<Map<string, string>> {
    const found = new Map<string, string>();
    for await (const record of routes.datasetRecords(dataset_id))
      found.set(record.input_hash, digestOf(contentOf(record)));
    return found;
  }

  /** Sends a record with those that come in the same moment. */
  async function send(dataset_id: string, content: string): Promise<void> {
    const done = Promise.withResolvers<void>();
    const queue = waiting.get(dataset_id) ?? [];
    queue.push({ content, done });
    waiting.set(dataset_id, queue);
    if (queue.length === 1) {
      await setImmediate();
      if (waiting.get(dataset_id) === queue) await flush(dataset_id);
    } else if (queue.length === MOST) await flush(dataset_id);
    await done.promise;
  }

  async function flush(dataset_id: string): Promise<void> {
    const batch = waiting.get(dataset_id) ?? [];
    waiting.delete(dataset_id);
    try {
      await upsert(dataset_id, batch);
      for (const { done } of batch) done.resolve();
    } catch (error) {
      const refused = error instanceof MlferryError && error.code === 'REFUSED';
      if (!refused || batch.length === 1) for (const { done } of batch) done.reject(error);
      else for (const one of batch) one.done.resolve(upsert(dataset_id, [one]));
    }
  }

  const upsert = (dataset_id: string, batch: readonly Waiting[]) =>
    routes.upsertDatasetRecords(dataset_id, `[${batch.map(({ content }) => content).join(',')}]`);

  return {
    async write(_source, target) {
      const record = evaluationDatasetRecord.parse(target.remap({ id: originId(target.origin) }));
      const { dataset_id, input_hash } = record;
      const content = contentOf(record);
      const known = held.get(dataset_id) ?? (routes.changes ? load(dataset_id) : loadIfThere(dataset_id));
      held.set(dataset_id, known);
      const there = (await known).get(input_hash);
      const done = { id: `${dataset_id}/${input_hash}`, artifacts: 0, bytes: 0 };
      const digest = digestOf(content);
      if (there === digest) return { ...done, outcome: 'unchanged' };
      if (routes.changes) {
        await send(dataset_id, content);
        const all = written.get(dataset_id) ?? new Map<string, string>();
        written.set(dataset_id, all.set(input_hash, digest));
      }
      return { ...done, outcome: there === undefined ? 'created' : 'updated' };
    },
    async readBack() {
      for (const [dataset_id, records] of written) {
        const found = await load(dataset_id);
        const wrong = [...records].filter(([hash, digest]) => found.get(hash) !== digest).length;
        if (wrong === 0) continue;
        const message = `Of the records of evaluation dataset ${dataset_id} ${wrong} were accepted, but read back differently`;
        const { code, hint } = new MlferryError('MISMATCH', message);
        findings.failure({ code, object: `evaluation dataset ${dataset_id}`, message, hint });
      }
    },
  };

  /** In a dry run the dataset may still have to be made. */
  async function loadIfThere(dataset_id: string): Promise<Map<string, string>> {
    try {
      return await load(dataset_id);
    } catch (error) {
      if (error instanceof MlferryError && error.code === 'NOT_FOUND') return new Map();
      throw error;
    }
  }
}

/** The same for every order of keys: databases may change it. */
const digestOf = (content: string) => createHash('sha256').update(canonicalJson(content)).digest('hex');

/** A record as JSON in MLflow's form; that it has no outputs is said, because MLflow takes none for empty ones. */
function contentOf({ inputs, outputs = 'null', ...record }: EvaluationDatasetRecord): string {
  const rest = (['expectations', 'tags', 'source'] as const).flatMap((field) =>
    record[field] === undefined ? [] : [`"${field}":${record[field]}`],
  );
  return `{${[`"inputs":${inputs}`, `"outputs":${outputs}`, ...rest].join(',')}}`;
}
