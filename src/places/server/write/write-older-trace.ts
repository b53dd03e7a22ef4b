import { DIGEST_TAG, ORIGIN_TAG, originId } from '../../../model/canonical.ts';
import { type FoundObject, lacksFiles, QUIET } from '../../../model/findings.ts';
import type { RunLoss } from '../../../model/fit-run.ts';
import { toJson } from '../../../model/json.ts';
import type { TraceInfo } from '../../../model/mlflow/trace-fields.ts';
import { ownValue } from '../../../model/string-map.ts';
import { hasItsSpans, type Trace, trace } from '../../../model/trace.ts';
import { MlferryError } from '../../../util/errors.ts';
import { hasFiles } from '../../has-files.ts';
import type { ObjectTarget, ObjectWriter, WrittenObject } from '../../objects.ts';
import { createSpanReader } from '../read/traces.ts';
import { createOnce } from './create-once.ts';
import { fitOlderTrace, spansOf } from './fit-trace.ts';
import { putSpans, sendAttachments } from './put-spans.ts';
import type { TargetContext } from './target-context.ts';
import type { ExperimentState, TargetExperiments } from './target-experiments.ts';

/** Writes traces to a server of MLflow 2.14 to 3.2, which gives them ids of its own and keeps spans in files. */
export interface OlderTraceWriter {
  readonly write: ObjectWriter;
  /** Removes second copies that creates thought lost have made. To be called when all else is done. */
  finish(): Promise<void>;
}

/** The part of a target's trace that is remembered. */
type KnownTrace = Pick<TraceInfo, 'trace_id'> & { readonly digest: string | undefined };

const NOTHING_SENT = { artifacts: 0, bytes: 0 };

/** See {@link OlderTraceWriter}. The origin goes with the create, the digest with what ends a trace, after its spans. */
export function olderTraceWriter(context: TargetContext, experiments: TargetExperiments): OlderTraceWriter {
  const { routes, client, findings } = context;
  const scans = new Map<string, Promise<Map<string, KnownTrace>>>();
  /** Origin → experiment of traces that may have been created twice. */
  const suspects = new Map<string, string>();

  const copiesIn = (experiment_id: string) => {
    const known = scans.get(experiment_id) ?? scan(experiment_id);
    scans.set(experiment_id, known);
    return known;
  };

  async function scan(experiment_id: string): Promise<Map<string, KnownTrace>> {
    const known = new Map<string, KnownTrace>();
    if (!routes.changes && experiment_id.startsWith('new experiment')) return known;
    for await (const page of routes.searchTraces(experiment_id)) {
      for (const found of page) {
        const origin = ownValue(found.tags, ORIGIN_TAG);
        if (origin === undefined) continue;
        const other = known.get(originId(origin));
        if (other?.digest === undefined) known.set(originId(origin), knownTrace(found));
        if (other !== undefined) suspects.set(origin, experiment_id);
      }
    }
    return known;
  }

  async function copiesOf(experiment_id: string, origin: string): Promise<TraceInfo[]> {
    const found: TraceInfo[] = [];
    for await (const page of routes.searchTraces(experiment_id, `tags.\`${ORIGIN_TAG}\` = '${origin}'`))
      found.push(...page.filter(({ tags }) => ownValue(tags, ORIGIN_TAG) === origin));
    return found;
  }

  async function find(experiment: ExperimentState, id: string, { origin, inDoubt }: ObjectTarget) {
    const known = (await copiesIn(experiment.experiment_id)).get(id);
    if (inDoubt) suspects.set(origin, experiment.experiment_id);
    if (known !== undefined || !inDoubt) return known;
    const [late] = await copiesOf(experiment.experiment_id, origin);
    return late === undefined ? undefined : knownTrace(late);
  }

  async function create(wanted: Trace, { origin }: ObjectTarget): Promise<TraceInfo> {
    const { experiment_id } = wanted;
    return createOnce(
      () => routes.beginOlderTrace(wanted, { [ORIGIN_TAG]: origin }),
      async () => (await copiesOf(experiment_id, origin))[0],
      context,
      () => void suspects.set(origin, experiment_id),
    );
  }

  return {
    async write(source, target): Promise<WrittenObject> {
      const id = originId(target.origin);
      const draft = trace.parse(target.remap({ id }));
      const experiment = experiments.get(draft.experiment_id);
      const known = await find(experiment, id, target);
      if (known?.digest === target.digest && draft.state !== 'IN_PROGRESS')
        return { id: known.trace_id, outcome: 'unchanged', ...NOTHING_SENT };
      const outcome = known === undefined ? 'created' : 'updated';
      if (!routes.changes) return { id: known?.trace_id ?? `new trace ${id}`, outcome, ...NOTHING_SENT };

      await experiment.revive();
      const present =
        known === undefined ? await create(draft, target) : await routes.olderTrace(known.trace_id);
      const { trace_id } = present;
      const whole = trace.parse(await target.whole({ id: trace_id }));
      const { trace: wanted, losses: unfit } = fitOlderTrace({
        ...whole,
        spans: spansOf(whole.spans, false, id, trace_id),
      });
      const losses: RunLoss[] = [...unfit];
      const there = known === undefined ? [] : await createSpanReader(client, [present], QUIET)(present);
      if (toJson(there) !== toJson(wanted.spans))
        losses.push(...(await putSpans(context, experiments, wanted, present)));
      const sent = { points: 0, ...NOTHING_SENT };
      if (await hasFiles(source))
        losses.push(...(await sendAttachments(context, experiments, source, present, sent)));
      const isWhole = !lacksFiles(losses) && hasItsSpans(wanted);
      await routes.endOlderTrace(wanted, isWhole ? { [DIGEST_TAG]: target.digest } : {});
      const found = await routes.olderTrace(trace_id);
      mustBe(found, wanted);
      (await copiesIn(draft.experiment_id)).set(id, knownTrace(found));
      const of: FoundObject = { kind: source.of.kind, id };
      for (const loss of losses) findings.loss({ ...loss, of, experiment_name: experiment.name });
      return { id: trace_id, outcome, ...sent };
    },
    async finish() {
      for (const [origin, experiment_id] of suspects) {
        const kept = (await copiesIn(experiment_id)).get(originId(origin));
        if (kept === undefined || !routes.changes) continue;
        const others = (await copiesOf(experiment_id, origin)).filter(
          ({ trace_id, tags }) => trace_id !== kept.trace_id && !Object.hasOwn(tags, DIGEST_TAG),
        );
        if (others.length === 0) continue;
        const ids = others.map(({ trace_id }) => trace_id);
        await routes.deleteTraces(experiment_id, ids);
        const of: FoundObject = { kind: 'trace', id: originId(origin) };
        const detail = `a create whose answer was lost had made a second copy without spans, ${ids.join(', ')}: it was deleted, ${kept.trace_id} is the copy`;
        findings.loss({ code: 'TWIN_DELETED', of, detail });
      }
    },
  };
}

function knownTrace({ trace_id, tags }: TraceInfo): KnownTrace {
  return { trace_id, digest: ownValue(tags, DIGEST_TAG) || undefined };
}

/** Throws MISMATCH naming the first field that the server has other than it was sent. */
function mustBe(found: TraceInfo, wanted: Trace): void {
  const texts = (['trace_metadata', 'tags'] as const).flatMap((field) =>
    Object.entries(wanted[field]).flatMap(([key, value]) =>
      value.startsWith(ownValue(found[field], key) ?? '\0') ? [] : [`${field} ${JSON.stringify(key)}`],
    ),
  );
  const isOver = wanted.state !== 'IN_PROGRESS';
  const fields = (
    ['experiment_id', 'request_time', ...(isOver ? (['execution_duration', 'state'] as const) : [])] as const
  ).filter((field) => wanted[field] !== undefined && wanted[field] !== found[field]);
  const [wrong] = [...fields, ...texts];
  if (wrong === undefined) return;
  throw new MlferryError('MISMATCH', `Trace ${found.trace_id} differs from what was sent in ${wrong}`);
}
