import { createHash } from 'node:crypto';
import { DIGEST_TAG, ORIGIN_TAG, originId } from '../../../model/canonical.ts';
import { type FoundObject, lacksFiles, QUIET } from '../../../model/findings.ts';
import type { RunLoss } from '../../../model/fit-run.ts';
import { toJson } from '../../../model/json.ts';
import { linkedPrompts } from '../../../model/mlflow/linked-prompts.ts';
import type { TraceInfo } from '../../../model/mlflow/trace-fields.ts';
import { SPANS_LOCATION_TAG } from '../../../model/mlflow/trace-fields.ts';
import { ownValue } from '../../../model/string-map.ts';
import { type Assessment, hasItsSpans, type Trace, trace } from '../../../model/trace.ts';
import { endsJob } from '../../../util/ends-job.ts';
import { asMlferryError, MlferryError } from '../../../util/errors.ts';
import { hasFiles } from '../../has-files.ts';
import type { ObjectTarget, ObjectWriter, WrittenObject } from '../../objects.ts';
import type { PlaceInfo } from '../../place.ts';
import { withOwnIds } from '../../writing/own-assessment-ids.ts';
import { isAtLeast } from '../connect/capabilities.ts';
import { createSpanReader } from '../read/traces.ts';
import { createOnce } from './create-once.ts';
import { fitTrace, representTrace, spansOf } from './fit-trace.ts';
import { otlpProblem } from './otlp.ts';
import { putSpans, sendAttachments } from './put-spans.ts';
import type { TargetContext } from './target-context.ts';
import type { TargetExperiments } from './target-experiments.ts';
import { unlessMissing } from './target-routes.ts';
import { planAssessments } from './trace-assessments.ts';

/** The part of a target's trace that is remembered. */
interface KnownTrace {
  readonly trace_id: string;
  readonly digest: string | undefined;
  /** Whether it is a copy, told by its tag. */
  readonly isCopy: boolean;
}

/** The traces of one experiment of the target. */
interface KnownTraces {
  readonly byOrigin: Map<string, KnownTrace>;
  readonly byId: Map<string, KnownTrace>;
}

const NOTHING_SENT = { artifacts: 0, bytes: 0 };

/**
 * Writes traces to a server of MLflow 3.3 and newer, where a client chooses their ids, and a create that comes again adds to what
 * is there. Spans go where the source has them: into the store by OpenTelemetry's route (3.6 and newer), before
 * the trace, because MLflow works its times out anew with every span; or to the file `traces.json`, after the trace, whose
 * answer tells where.
 */
export function traceWriter(
  context: TargetContext,
  experiments: TargetExperiments,
  source: PlaceInfo,
): ObjectWriter {
  const { routes, client, findings } = context;
  const scans = new Map<string, Promise<KnownTraces>>();
  /** The source is the target: what has no mark of a copy is the source's own. */
  const isSource = source.location === client.location;
  let storeTakesSpans = isAtLeast(client.server, '3.6') && context.store !== 'FileStore';

  /** Newest servers keep links to prompts by themselves, for searches; all others only the tag that tells them. */
  let linksPrompts = context.store !== 'FileStore';

  const tracesIn = (experiment_id: string) => {
    const known = scans.get(experiment_id) ?? scan(experiment_id);
    scans.set(experiment_id, known);
    return known;
  };

  async function scan(experiment_id: string): Promise<KnownTraces> {
    const known: KnownTraces = { byOrigin: new Map(), byId: new Map() };
    if (!routes.changes && experiment_id.startsWith('new experiment')) return known;
    for await (const page of routes.searchTraces(experiment_id))
      for (const found of page) remember(known, found);
    return known;
  }

  /** The id of a copy: that of the source, unless something else on the target has it. */
  async function freeId(id: string, { origin }: ObjectTarget, experiment_id: string, known: KnownTraces) {
    const here = known.byId.get(id);
    if (here !== undefined && !here.isCopy && !isSource) return id;
    if (here === undefined && (await routes.traceById(id)) === undefined) return id;
    const own = `tr-${createHash('sha256').update(`${origin}\n${experiment_id}`).digest('hex').slice(0, 32)}`;
    const detail = `the target has another trace of this id: the copy is ${own}`;
    findings.loss({ code: 'TRACE_ID_TAKEN', of: { kind: 'trace', id }, detail });
    return own;
  }

  async function createAssessment(trace_id: string, assessment: Assessment): Promise<void> {
    await createOnce(
      async () => {
        await routes.createAssessment(trace_id, assessment);
        return true;
      },
      async () => {
        const there = (await routes.traceById(trace_id))?.assessments ?? [];
        return there.some(({ assessment_id }) => assessment_id === assessment.assessment_id) || undefined;
      },
      context,
    );
  }

  /** Whether a trace that is there has the wanted spans. */
  async function hasSpans(present: TraceInfo, { trace_id, spans }: Trace): Promise<boolean> {
    const inStore = present.spans_location === 'TRACKING_STORE';
    try {
      const there = await createSpanReader(client, [present], QUIET)(present);
      return toJson(there) === toJson(spansOf(spans, inStore, trace_id, trace_id));
    } catch (error) {
      const known = asMlferryError(error);
      if (endsJob(known)) throw known;
      return false;
    }
  }

  /** Sends spans to the store, if it takes them. */
  async function storeSpans({ trace_id, experiment_id, spans: wanted }: Trace): Promise<boolean> {
    const spans = spansOf(wanted, true, trace_id, trace_id);
    try {
      await routes.logSpans(experiment_id, trace_id, spans);
      return true;
    } catch (error) {
      // A server run by gunicorn or waitress, or with a file store, has no such route.
      if (!(error instanceof MlferryError) || error.code !== 'UNSUPPORTED') throw error;
      storeTakesSpans = false;
      return false;
    }
  }

  async function linkPrompts(trace_id: string, prompts: ReturnType<typeof linkedPrompts>): Promise<void> {
    try {
      await routes.linkPrompts(trace_id, prompts);
    } catch (error) {
      if (!(error instanceof MlferryError) || error.code !== 'UNSUPPORTED') throw error;
      linksPrompts = false;
    }
  }

  return async (source, target): Promise<WrittenObject> => {
    const id = originId(target.origin);
    const draft = trace.parse(target.remap({ id }));
    const experiment = experiments.get(draft.experiment_id);
    const known = await tracesIn(draft.experiment_id);
    const copy = known.byOrigin.get(id);
    if (copy?.digest === target.digest && draft.state !== 'IN_PROGRESS')
      return { id: copy.trace_id, outcome: 'unchanged', ...NOTHING_SENT };
    const trace_id = copy?.trace_id ?? (await freeId(id, target, draft.experiment_id, known));
    const there = copy ?? known.byId.get(trace_id);
    if (!routes.changes)
      return { id: trace_id, outcome: there === undefined ? 'created' : 'updated', ...NOTHING_SENT };

    await experiment.revive();
    const present = there === undefined ? undefined : await routes.traceById(trace_id);
    const whole = trace.parse(await target.whole({ id: trace_id }));
    const isOther = trace_id !== id;
    const wanted = fitTrace({
      ...whole,
      spans: spansOf(whole.spans, false, id, trace_id),
      assessments: isOther ? withOwnIds(whole.assessments, trace_id) : whole.assessments,
    });
    const losses: RunLoss[] = [];
    const wantsStore =
      storeTakesSpans &&
      wanted.spans_location !== 'ARTIFACT_REPO' &&
      otlpProblem(spansOf(wanted.spans, true, id, trace_id), trace_id) === undefined;
    const keepsSpans = present !== undefined && (await hasSpans(present, wanted));
    const isStored = keepsSpans && present.spans_location === 'TRACKING_STORE';
    const inStore = wantsStore && (isStored || (await storeSpans(wanted)));
    const plan = planAssessments(wanted.assessments, present?.assessments ?? []);
    const attached = await hasFiles(source);
    const prompts = linksPrompts ? linkedPrompts(wanted.tags) : [];
    const later = plan.after.length + wanted.linked_runs.length + prompts.length;
    const isWhole = inStore && !attached && hasItsSpans(wanted) && later === 0;
    const marks = { [ORIGIN_TAG]: target.origin, ...(isWhole ? { [DIGEST_TAG]: target.digest } : {}) };
    const isAlike =
      keepsSpans &&
      inStore === isStored &&
      plan.withTrace.length + plan.after.length === 0 &&
      ownValue(present.tags, ORIGIN_TAG) === target.origin &&
      differenceIn(present, wanted, plan.stayValid) === undefined;
    const made = isAlike
      ? present
      : await routes.startTrace({ ...wanted, assessments: [...plan.withTrace] }, marks);
    if (!inStore && !keepsSpans && wanted.spans.length > 0) {
      losses.push(...(await putSpans(context, experiments, wanted, made)));
      // MLflow 3.6 takes for granted that the spans are in its store.
      if (made.spans_location === 'TRACKING_STORE')
        await routes.setTraceTag(trace_id, SPANS_LOCATION_TAG, 'ARTIFACT_REPO');
    }
    const sent = { points: 0, ...NOTHING_SENT };
    if (attached) losses.push(...(await sendAttachments(context, experiments, source, made, sent)));
    for (const assessment_id of plan.removed)
      await unlessMissing(routes.deleteAssessment(trace_id, assessment_id));
    for (const assessment of plan.after) await createAssessment(trace_id, assessment);
    if (plan.stayValid.length > 0) {
      const detail =
        'no route of MLflow says that an assessment is not valid, unless another one overrides it';
      losses.push({ code: 'ASSESSMENT_VALID', count: plan.stayValid.length, detail });
    }
    for (const { run_id } of wanted.linked_runs) await routes.linkTraces([trace_id], run_id);
    if (prompts.length > 0) await linkPrompts(trace_id, prompts);
    const completes =
      (isAlike || !isWhole) &&
      !lacksFiles(losses) &&
      hasItsSpans(wanted) &&
      ownValue(made.tags, DIGEST_TAG) !== target.digest;
    if (completes) await routes.setTraceTag(trace_id, DIGEST_TAG, target.digest);
    const found = await routes.traceById(trace_id);
    mustBe(found, wanted, plan.stayValid);
    remember(known, found);
    const of: FoundObject = { kind: source.of.kind, id };
    for (const loss of losses) findings.loss({ ...loss, of, experiment_name: experiment.name });
    const changed = !isAlike || completes || sent.artifacts > 0;
    const outcome = there === undefined ? 'created' : changed ? 'updated' : 'unchanged';
    return { id: trace_id, outcome, ...sent };
  };
}

function remember({ byOrigin, byId }: KnownTraces, { trace_id, tags }: Pick<TraceInfo, 'trace_id' | 'tags'>) {
  const origin = ownValue(tags, ORIGIN_TAG);
  const known = { trace_id, digest: ownValue(tags, DIGEST_TAG) || undefined, isCopy: origin !== undefined };
  byId.set(trace_id, known);
  if (origin !== undefined) byOrigin.set(originId(origin), known);
}

/** Compares what the server has with what was sent. Throws MISMATCH naming the first field that differs. */
function mustBe(
  found: TraceInfo | undefined,
  wanted: Trace,
  stayValid: readonly string[],
): asserts found is TraceInfo {
  if (found === undefined)
    throw new MlferryError('MISMATCH', `Trace ${wanted.trace_id} was accepted, but is not there`);
  const wrong = differenceIn(found, wanted, stayValid);
  if (wrong === undefined) return;
  throw new MlferryError('MISMATCH', `Trace ${found.trace_id} differs from what was sent in ${wrong}`);
}

/** The first field that the server has other than it is wanted; spans are not looked at. */
function differenceIn(found: TraceInfo, wanted: Trace, stayValid: readonly string[]): string | undefined {
  const { record } = representTrace(wanted, { ...found, spans: [] });
  const texts = (['trace_metadata', 'tags'] as const).flatMap((field) =>
    Object.entries(record[field]).flatMap(([key, value]) =>
      ownValue(found[field], key) === value ? [] : [`${field} ${JSON.stringify(key)}`],
    ),
  );
  const fields = FIELDS.filter((field) => record[field] !== undefined && record[field] !== found[field]);
  const valid = new Map(found.assessments.map((one) => [one.assessment_id, one.valid]));
  const assessments = record.assessments.flatMap(({ assessment_id, valid: wants }) =>
    valid.get(assessment_id) === (wants || stayValid.includes(assessment_id))
      ? []
      : [`assessment ${assessment_id}`],
  );
  return [...fields, ...texts, ...assessments][0];
}

const FIELDS = [
  'experiment_id',
  'request_time',
  'execution_duration',
  'state',
  'request_preview',
  'response_preview',
] as const;
