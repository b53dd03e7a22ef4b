import { text } from 'node:stream/consumers';
import { parseTraceData } from '../../model/mlflow/trace-data.ts';
import type { Span } from '../../model/trace.ts';
import { MlferryError } from '../../util/errors.ts';
import type { ArtifactOwner } from '../artifact-owner.ts';

/** The file of a trace's spans among its artifacts. */
export const SPANS_FILE = 'traces.json';

/** The spans of a trace; `undefined` when there is no file of them. Throws SOURCE_ITEM for one that is no such file. */
export async function readSpans(
  files: ArtifactOwner,
  trace_id: string,
): Promise<readonly Span[] | undefined> {
  for await (const { path } of files.artifacts()) {
    if (path !== SPANS_FILE) continue;
    const body = await files.open({ path });
    if (body === undefined) return undefined;
    try {
      return parseTraceData(await text(body), trace_id);
    } catch (error) {
      if (!(error instanceof SyntaxError)) throw error;
      throw new MlferryError(
        'SOURCE_ITEM',
        `${SPANS_FILE} of trace ${trace_id} is not what MLflow writes: ${error.message}`,
      );
    }
  }
  return undefined;
}
