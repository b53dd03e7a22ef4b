import type { TraceInfo } from '../../../model/mlflow/trace-fields.ts';
import { MlferryError } from '../../../util/errors.ts';
import { routes, within } from '../connect/routes.ts';
import type { TrackingClient } from '../connect/tracking-client.ts';

/** Traces asked for in one request. */
const TOGETHER = 50;

/**
 * Looks traces up by id, in any experiment, without their spans; `undefined`: there is none. What is asked in the same
 * moment goes in one request where the server has a route for it (newer than 3.6; 3.17 has it).
 */
export function createTraceLookup(
  client: TrackingClient,
): (trace_id: string) => Promise<TraceInfo | undefined> {
  let waiting = new Map<string, PromiseWithResolvers<TraceInfo | undefined>>();
  let hasBatches = true;

  async function one(trace_id: string): Promise<TraceInfo | undefined> {
    try {
      return (await client.call(within(routes.trace, trace_id))).trace.trace_info;
    } catch (error) {
      if (error instanceof MlferryError && error.code === 'NOT_FOUND') return undefined;
      throw error;
    }
  }

  async function many(ids: readonly string[]): Promise<ReadonlyMap<string, TraceInfo>> {
    const { trace_infos } = await client.call(routes.traceInfos, { body: { trace_ids: ids } });
    return new Map(trace_infos.map((info) => [info.trace_id, info]));
  }

  async function answer(asked: typeof waiting): Promise<void> {
    const ids = [...asked.keys()];
    if (hasBatches && ids.length > 1) {
      try {
        const found = await many(ids);
        for (const [id, { resolve }] of asked) resolve(found.get(id));
        return;
      } catch (error) {
        hasBatches = error instanceof MlferryError && !['UNSUPPORTED', 'NOT_FOUND'].includes(error.code);
      }
    }
    for (const [id, { resolve, reject }] of asked) one(id).then(resolve, reject);
  }

  return (trace_id) => {
    const other = waiting.get(trace_id);
    if (other !== undefined) return other.promise;
    const own = Promise.withResolvers<TraceInfo | undefined>();
    waiting.set(trace_id, own);
    const send = () => {
      const asked = waiting;
      waiting = new Map();
      if (asked.size > 0) void answer(asked);
    };
    if (waiting.size >= TOGETHER) send();
    else if (waiting.size === 1) setImmediate(send);
    return own.promise;
  };
}
