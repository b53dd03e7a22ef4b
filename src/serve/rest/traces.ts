import { z } from 'zod';
import { type Trace, trace as traceSchema } from '../../model/trace.ts';
import { list } from '../answers/json-values.ts';
import { olderTraceAnswer, traceAnswer } from '../answers/trace-answer.ts';
import { count, optionalText, parsed, searchFields, texts } from '../asked.ts';
import type { Context, Handler } from '../context.ts';
import { pageOf } from '../page.ts';
import { absent } from '../refusal.ts';
import { searchObjects } from '../search-records.ts';

const KIND = 'trace';
const USUAL = ['timestamp_ms DESC'];

async function traceOf({ place }: Context, trace_id: string): Promise<Trace> {
  const found = await place.object(KIND, trace_id);
  if (found === undefined) throw absent(`Trace with ID '${trace_id}'`);
  return traceSchema.parse(found);
}

const idSchema = z.object({ trace_id: z.string() });

export const getTraceInfo: Handler = async (context, asked) => ({
  json: { trace: { trace_info: traceAnswer(await traceOf(context, parsed(idSchema, asked).trace_id)) } },
});

export const getOlderTraceInfo: Handler = async (context, asked) => ({
  json: { trace_info: olderTraceAnswer(await traceOf(context, parsed(idSchema, asked).trace_id)) },
});

const idsSchema = z.object({ trace_ids: texts });

/** Those that are there. */
export const getTraceInfos: Handler = async ({ place }, asked) => {
  const infos: unknown[] = [];
  for (const id of parsed(idsSchema, asked).trace_ids) {
    const found = await place.object(KIND, id);
    if (found !== undefined) infos.push(traceAnswer(traceSchema.parse(found)));
  }
  return { json: { trace_infos: list(infos) } };
};

const searchSchema = z.object({
  ...searchFields,
  locations: z
    .array(z.object({ mlflow_experiment: z.object({ experiment_id: z.string() }) }))
    .nullish()
    .transform((locations) => (locations ?? []).map((each) => each.mlflow_experiment.experiment_id)),
  max_results: count(100, 500),
});

export const searchTraces: Handler = async (context, asked) => {
  const { locations, ...wanted } = parsed(searchSchema, asked);
  const { traces, next_page_token } = await pageOfTraces(context, { ...wanted, experiment_ids: locations });
  return { json: { traces: list(traces.map(traceAnswer)), next_page_token } };
};

const olderSearchSchema = z.object({ ...searchFields, experiment_ids: texts, max_results: count(100, 500) });

export const searchOlderTraces: Handler = async (context, asked) => {
  const { traces, next_page_token } = await pageOfTraces(context, parsed(olderSearchSchema, asked));
  return { json: { traces: list(traces.map(olderTraceAnswer)), next_page_token } };
};

async function pageOfTraces(
  { place, found }: Context,
  { max_results, page_token, ...wanted }: z.infer<typeof olderSearchSchema>,
) {
  const ids = await searchObjects(place, found, KIND, wanted, USUAL);
  const { items, next_page_token } = pageOf(ids, max_results, page_token);
  const { table } = await place.records(KIND, wanted.experiment_ids);
  const traces = items.flatMap((id) => table.get(KIND, id) ?? []);
  return { traces: traces.map((text) => traceSchema.parse(JSON.parse(text))), next_page_token };
}

const dataSchema = z.object({ request_id: z.string(), path: optionalText });

/** The spans of a trace, or one of its attached files. */
export const getTraceData: Handler = ({ files }, asked) => {
  const { request_id, path } = parsed(dataSchema, asked);
  return files.ofTrace(request_id, path === undefined ? 'traces.json' : `attachments/${path}`);
};
