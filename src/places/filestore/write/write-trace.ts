import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { describeObject } from '../../../kinds/kinds.ts';
import { DIGEST_TAG, ORIGIN_TAG, originId } from '../../../model/canonical.ts';
import type { FoundObject } from '../../../model/findings.ts';
import { printTraceData, traceIdOf } from '../../../model/mlflow/trace-data.ts';
import { ownValue, type StringMap } from '../../../model/string-map.ts';
import { hasItsSpans, type Trace, trace } from '../../../model/trace.ts';
import { fileFailure } from '../../file-failure.ts';
import type { ObjectTarget, ObjectWriter, WrittenObject } from '../../objects.ts';
import { type ArtifactCounts, isThereIn } from '../../writing/write-files.ts';
import { fileUri } from '../layout/file-uri.ts';
import { isDirectory } from '../layout/layout.ts';
import { TRACES, traceFiles } from '../layout/trace-files.ts';
import type { RunLoss } from '../read/read-run.ts';
import { loadTrace } from '../read/traces.ts';
import { fitTrace } from './fit-trace.ts';
import type { FilesJob, StoreContext } from './run-context.ts';
import { writeArtifacts, writeFiles } from './run-parts.ts';
import { storeIds } from './store-ids.ts';
import type { TargetExperiments } from './target-experiments.ts';
import { readTag } from './target-runs.ts';

/** What can be the name of a trace's directory, and no other one's. */
const TRACE_ID = /^\w(?:[\w .-]{0,198}[\w-])?$/;

/** Writes traces to a store: a new one whole and then by one rename; of one that is there only what differs, the digest last. */
export function traceWriter(context: StoreContext, experiments: TargetExperiments): ObjectWriter {
  const { root, staging } = context;
  const { copiesIn, newId } = storeIds(root, { folder: TRACES, pattern: TRACE_ID, prefix: 'tr-' });

  async function findCopy(directory: string, id: string): Promise<string | undefined> {
    const same = join(directory, TRACES, id);
    if (TRACE_ID.test(id) && (await isDirectory(same))) {
      const origin = await readTag(same, ORIGIN_TAG);
      if (origin !== undefined && originId(origin) === id) return id;
    }
    return (await copiesIn(directory)).get(id);
  }

  return async (source, target) => {
    const id = originId(target.origin);
    const draft = trace.parse(target.remap({ id }));
    const experiment = experiments.get(draft.experiment_id);
    const known = await findCopy(experiment.directory, id);
    const directory = join(experiment.directory, TRACES, known ?? id);
    if (
      known !== undefined &&
      draft.state !== 'IN_PROGRESS' &&
      (await readTag(directory, DIGEST_TAG)) === target.digest
    )
      return { id: known, outcome: 'unchanged', artifacts: 0, bytes: 0 };
    const trace_id = known ?? (await newId(id));
    const of: FoundObject = { kind: source.of.kind, id };
    const owner = { of, experiment_name: experiment.record.name };
    const note = (loss: RunLoss) => context.findings.loss({ ...loss, ...owner });
    if (trace_id !== id && known === undefined)
      note({
        code: 'TRACE_ID_TAKEN',
        detail: `the store has another trace of this id, or cannot hold it: the copy is ${trace_id}`,
      });
    if (staging.isDry)
      return { id: trace_id, outcome: known === undefined ? 'created' : 'updated', artifacts: 0, bytes: 0 };
    const job: TraceJob = {
      context,
      source,
      note,
      fail: (path, error) =>
        context.findings.failure(fileFailure(path, error, { words: describeObject(of), of })),
      target,
      id,
      trace_id,
      directory: join(experiment.directory, TRACES, trace_id),
    };
    const written = await (known === undefined ? writeTrace(job) : growTrace(job));
    (await copiesIn(experiment.directory)).set(id, trace_id);
    return written;
  };

  async function recordOf({ target, id, trace_id, directory, note }: TraceJob): Promise<Trace> {
    const whole = trace.parse(await target.whole({ id: trace_id }));
    const { record, losses } = fitTrace(whole, directory);
    for (const loss of losses) note(loss);
    if (trace_id === id) return record;
    return { ...record, spans: record.spans.map((span) => ({ ...span, trace_id: traceIdOf(span, id) })) };
  }

  /** Files of a trace; the digest is among its tags. */
  function filesOf(record: Trace, { origin, digest }: ObjectTarget): StringMap {
    const { trace_id, experiment_id } = record;
    const artifact_uri = `${fileUri(root)}/${experiment_id}/${TRACES}/${trace_id}/artifacts`;
    return traceFiles(record, { [ORIGIN_TAG]: origin, [DIGEST_TAG]: digest }, artifact_uri);
  }

  async function writeTrace(job: TraceJob): Promise<WrittenObject> {
    const record = await recordOf(job);
    return staging.placeDirectory(job.directory, async (temporary): Promise<WrittenObject> => {
      const to = temporary ?? job.directory;
      const artifactDir = join(to, 'artifacts');
      if (temporary !== undefined) await mkdir(artifactDir, { recursive: true });
      const { artifacts, bytes, ...files } = await writeArtifacts(job, artifactDir, async () => false);
      const all = Object.entries(filesOf(record, job.target));
      if (temporary !== undefined)
        writeFiles(temporary, isWhole(record, files) ? all : all.filter(([name]) => name !== DIGEST_FILE));
      if (temporary !== undefined && record.spans.length > 0)
        writeFiles(artifactDir, [['traces.json', printTraceData(record.spans, record.trace_id, false)]]);
      return { id: record.trace_id, outcome: 'created', artifacts, bytes };
    });
  }

  async function growTrace(job: TraceJob): Promise<WrittenObject> {
    const { directory, trace_id, target } = job;
    const record = await recordOf(job);
    const present = await loadTrace(directory, trace_id, record);
    const there = filesOf({ ...present.info, spans: [] }, target);
    const wanted = filesOf(record, target);
    const artifactDir = join(directory, 'artifacts');
    const { artifacts, bytes, ...files } = await writeArtifacts(job, artifactDir, isThereIn(artifactDir));
    if (record.spans.length > 0)
      await staging.replaceFile(
        join(artifactDir, 'traces.json'),
        printTraceData(record.spans, trace_id, false),
      );
    for (const [name, content] of Object.entries(wanted))
      if (name !== DIGEST_FILE && ownValue(there, name) !== content)
        await staging.replaceFile(join(directory, ...name.split('/')), content);
    if (isWhole(record, files))
      await staging.replaceFile(join(directory, ...DIGEST_FILE.split('/')), target.digest);
    return { id: trace_id, outcome: 'updated', artifacts, bytes };
  }
}

const DIGEST_FILE = `tags/${DIGEST_TAG}`;

/** Whether a later copy has nothing to bring. */
function isWhole(
  record: Trace,
  { failed, notCarried }: Pick<ArtifactCounts, 'failed' | 'notCarried'>,
): boolean {
  return failed + notCarried === 0 && hasItsSpans(record);
}

/** A trace on its way into an experiment's directory. */
interface TraceJob extends FilesJob {
  readonly target: ObjectTarget;
  /** Of the source. */
  readonly id: string;
  readonly trace_id: string;
  readonly directory: string;
}
