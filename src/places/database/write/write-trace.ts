import { randomUUID } from 'node:crypto';
import { describeObject } from '../../../kinds/kinds.ts';
import { objectDigest } from '../../../kinds/object-digest.ts';
import { DIGEST_TAG, ORIGIN_TAG, originId } from '../../../model/canonical.ts';
import type { FoundObject } from '../../../model/findings.ts';
import type { RunLoss } from '../../../model/fit-run.ts';
import { toJson } from '../../../model/json.ts';
import { printTraceData, traceIdOf } from '../../../model/mlflow/trace-data.ts';
import { ARTIFACT_LOCATION_TAG, SPANS_LOCATION_TAG } from '../../../model/mlflow/trace-fields.ts';
import { ownValue, type StringMap } from '../../../model/string-map.ts';
import { hasItsSpans, type Trace, trace } from '../../../model/trace.ts';
import { MlferryError } from '../../../util/errors.ts';
import { fileFailure } from '../../file-failure.ts';
import { notedSince } from '../../noted-since.ts';
import type { ObjectReader, ObjectTarget, ObjectWriter, WrittenObject } from '../../objects.ts';
import { withOwnIds } from '../../writing/own-assessment-ids.ts';
import { readTrace, TRACE_DATA_FILE } from '../read/traces.ts';
import { fitTrace } from './fit-trace.ts';
import { type KnownTrace, readKnownTraces } from './known-traces.ts';
import { type RunFilesJob, replaceOwnFile, writeRunFiles } from './run-files.ts';
import type { Target } from './target.ts';
import type { TargetExperiments } from './target-experiments.ts';
import { textFitter } from './text-fitter.ts';
import { usesRollups, writeTraceRows } from './write-trace-rows.ts';

const NOTHING = { artifacts: 0, bytes: 0 };

/**
 * Writes traces (MLflow 2.14 and newer): files first, then all rows in one transaction. Spans go where the source has them: to the
 * store, where the schema has one for them, or to the file `traces.json` of the trace.
 */
export function traceWriter(target: Target, experiments: TargetExperiments): ObjectWriter {
  let reading: Promise<Map<string, KnownTrace[]>> | undefined;
  let rebuilding: Promise<boolean> | undefined;

  return async (source, copy): Promise<WrittenObject> => {
    const id = originId(copy.origin);
    const draft = trace.parse(copy.remap({ id }));
    const { experiment_id } = draft;
    const experiment = experiments.get(experiment_id).record;
    reading ??= readKnownTraces(target);
    const copies = (await reading).get(id) ?? [];
    const known = copies.find((each) => each.experiment_id === experiment_id);
    const isOver = draft.state !== 'IN_PROGRESS';
    if (known?.digest === copy.digest && isOver)
      return { id: known.trace_id, outcome: 'unchanged', ...NOTHING };
    const of: FoundObject = { kind: source.of.kind, id };
    const note = (loss: RunLoss) => target.findings.loss({ ...loss, of, experiment_name: experiment.name });
    const taken = known === undefined ? await readTrace(target, id) : undefined;
    const isCopy = ownValue(taken?.info.tags ?? {}, ORIGIN_TAG) !== undefined;
    const isForeign = taken !== undefined && !isCopy;
    const trace_id = known?.trace_id ?? (await ownId(target, id, isCopy, note));
    if (target.dryRun)
      return { id: trace_id, outcome: known || isForeign ? 'updated' : 'created', ...NOTHING };
    const hasNoted = notedSince(target.findings, id);
    const artifact_uri = `${experiment.artifact_location}/traces/${trace_id}/artifacts`;
    const whole = trace.parse(await copy.whole({ id: trace_id, artifact_uri }));
    const { record, losses } = fitTrace(target, whole);
    const found = known === undefined ? taken : await readTrace(target, trace_id);
    const present = found && { ...found.info, spans: [...(await found.spans())] };
    if (isForeign && present !== undefined && !isSame(source, record, present))
      throw new MlferryError(
        'REFUSED',
        'The target has a trace of this id already, which is no copy of mlferry’s and has other content: it was left as it is',
        { hint: 'Delete it on the target, or leave it out of the selection.' },
      );
    for (const loss of losses) note(loss);
    const isOther = trace_id !== id;
    rebuilding ??= usesRollups(target);
    const written = await write({
      ...{ target, source, copy, present, of, note, hasNoted, rebuilds: await rebuilding },
      record: {
        ...record,
        artifact_uri: present?.artifact_uri || artifact_uri,
        assessments: isOther ? withOwnIds(record.assessments, trace_id) : record.assessments,
      },
      from: id,
    });
    if (known === undefined)
      (await reading).set(id, [...copies, { trace_id, experiment_id, digest: undefined }]);
    return isForeign && written.artifacts === 0 ? { ...written, outcome: 'unchanged' } : written;
  };
}

/** Whether a trace that somebody else brought is the source's. */
function isSame({ of }: ObjectReader, wanted: Trace, present: Trace): boolean {
  return (
    objectDigest(of, wanted) === objectDigest(of, present) && toJson(wanted.spans) === toJson(present.spans)
  );
}

/** The id of the source where no copy of another experiment has it and the column holds it; else a new one, and a loss. */
async function ownId(
  target: Target,
  wanted: string,
  isTaken: boolean,
  note: (loss: RunLoss) => void,
): Promise<string> {
  if (!isTaken && textFitter(target, '').holds('trace_info', 'request_id', wanted)) return wanted;
  const trace_id = `tr-${randomUUID().replaceAll('-', '')}`;
  const detail = `the database has another trace of this id, or cannot hold it: the copy is ${trace_id}`;
  note({ code: 'TRACE_ID_TAKEN', detail });
  return trace_id;
}

interface TraceJob {
  readonly target: Target;
  readonly source: ObjectReader;
  readonly copy: ObjectTarget;
  readonly record: Trace;
  /** Its id at the source. */
  readonly from: string;
  readonly present: Trace | undefined;
  readonly of: FoundObject;
  readonly rebuilds: boolean;
  note(loss: RunLoss): void;
  hasNoted(): boolean;
}

async function write(job: TraceJob): Promise<WrittenObject> {
  const { target, source, copy, record, present, of, rebuilds, note, hasNoted } = job;
  const { trace_id, artifact_uri } = record;
  const directory = await target.roots.directoryOf({ id: trace_id, artifact_uri });
  const filesJob: RunFilesJob = {
    ...{ target, source, artifact_uri, directory, note },
    fail: (path, error) =>
      target.findings.failure(fileFailure(path, error, { words: describeObject(of), of })),
  };
  const files = await writeRunFiles(filesJob);
  const isArchived = present?.spans_location === 'ARCHIVE_REPO';
  const inStore = !isArchived && wantsStore(target, record, present);
  const fileText = inStore || isArchived ? undefined : await putSpans(job, filesJob);
  const isLost = fileText === 'lost';
  const isWhole = files.isWhole && !files.isMissing && !isLost && !hasNoted() && hasItsSpans(record);
  const marks: StringMap = {
    [ARTIFACT_LOCATION_TAG]: artifact_uri,
    ...(target.tables.has('spans') && !isArchived
      ? { [SPANS_LOCATION_TAG]: inStore ? 'TRACKING_STORE' : 'ARTIFACT_REPO' }
      : {}),
    [ORIGIN_TAG]: copy.origin,
    ...(isWhole ? { [DIGEST_TAG]: copy.digest } : {}),
  };
  const changes = await target.transactions.run(record.spans.length + 20, () =>
    writeTraceRows({ target, record, present, spans: inStore ? record.spans : [], marks, rebuilds, note }),
  );
  const { artifacts, bytes } = files;
  const changed = changes + artifacts + Number(fileText === 'written') > 0;
  const outcome = present === undefined ? 'created' : changed ? 'updated' : 'unchanged';
  return { id: trace_id, outcome, artifacts, bytes };
}

/** Whether the spans of a trace go to the store. What a server put there or elsewhere stays where it is. */
function wantsStore(
  { tables }: Target,
  { spans, spans_location }: Trace,
  present: Trace | undefined,
): boolean {
  if (!tables.has('spans')) return false;
  // The store tells the spans of a trace apart by their ids.
  const isClear = new Set(spans.map(({ span_id }) => span_id)).size === spans.length;
  if (present !== undefined && present.spans.length > 0) return present.spans_location === 'TRACKING_STORE';
  return isClear && spans_location !== 'ARTIFACT_REPO';
}

/** Writes the file of a trace's spans. */
async function putSpans(
  { record, from, note }: TraceJob,
  filesJob: RunFilesJob,
): Promise<'written' | 'there' | 'lost'> {
  const { trace_id, spans } = record;
  if (spans.length === 0) return 'there';
  const isOther = trace_id !== from;
  const own = isOther ? spans.map((span) => ({ ...span, trace_id: traceIdOf(span, from) })) : spans;
  const bytes = Buffer.from(printTraceData(own, trace_id, false));
  if (filesJob.directory === undefined) {
    const detail = `its spans belong into a file below ${record.artifact_uri}, which cannot be written from here`;
    note({ code: 'TRACE_SPANS', detail });
    return 'lost';
  }
  return (await replaceOwnFile(filesJob, TRACE_DATA_FILE, bytes)) ? 'written' : 'there';
}
