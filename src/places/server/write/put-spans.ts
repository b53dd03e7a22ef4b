import { Readable } from 'node:stream';
import type { RunLoss } from '../../../model/fit-run.ts';
import { printTraceData } from '../../../model/mlflow/trace-data.ts';
import type { TraceInfo } from '../../../model/mlflow/trace-fields.ts';
import type { Trace } from '../../../model/trace.ts';
import type { ArtifactOwner } from '../../artifact-owner.ts';
import { isAtLeast } from '../connect/capabilities.ts';
import { traceOwner } from '../connect/owner.ts';
import { artifactLosses } from './run-losses.ts';
import { type SentCounts, sendArtifacts, sendOwnFile } from './send-artifacts.ts';
import type { TargetContext } from './target-context.ts';
import type { TargetExperiments } from './target-experiments.ts';

/** The file that holds the spans of a trace where no store does (mlflow/store/artifact/artifact_repo.py). */
const DATA_FILE = 'traces.json';

/** Puts the spans of a trace beside it, in the form that clients of the server's version read. */
export async function putSpans(
  context: TargetContext,
  experiments: TargetExperiments,
  { trace_id, spans }: Trace,
  present: TraceInfo,
): Promise<readonly RunLoss[]> {
  const owner = traceOwner(present);
  const sink = await context.sinkOf(experiments.get(present.experiment_id), owner);
  if (sink === undefined) {
    const detail = 'its spans were not copied: the artifact root of the target cannot be written from here';
    return [{ code: 'TRACE_SPANS', count: spans.length, detail }];
  }
  const body = Buffer.from(printTraceData(spans, trace_id, !isAtLeast(context.client.server, '3.0')));
  const target = { owner, sink };
  await sendOwnFile(context, target, DATA_FILE, body.length, async () =>
    Readable.from([body], { objectMode: false }),
  );
  return [];
}

/** Sends the files that the spans of a trace name. Throws why the first of them could not be sent. */
export async function sendAttachments(
  context: TargetContext,
  experiments: TargetExperiments,
  source: ArtifactOwner,
  present: TraceInfo,
  sent: SentCounts,
): Promise<readonly RunLoss[]> {
  const owner = traceOwner(present);
  const sink = await context.sinkOf(experiments.get(present.experiment_id), owner);
  const files = await sendArtifacts(context, source, { owner, sink }, 'content', sent);
  const [first] = files.failed;
  if (first !== undefined) throw first.error;
  return artifactLosses(files);
}
