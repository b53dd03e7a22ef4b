import { isListed } from '../../../model/file-list.ts';
import { fitRun } from '../../../model/fit-run.ts';
import { type TargetLimits, withColumns } from '../../../model/mlflow/limits.ts';
import { goesOn } from '../../../model/mlflow/statuses.ts';
import type { Run } from '../../../model/records.ts';
import { MlferryError } from '../../../util/errors.ts';
import type { RunReader, RunTarget, Writer, WrittenRun } from '../../place.ts';
import type { WriterOptions } from '../../place-options.ts';
import { isAtLeast } from '../connect/capabilities.ts';
import { connect } from '../connect/client.ts';
import { knowsEvaluation } from '../connect/knows-evaluation.ts';
import type { ServerLocation } from '../location.ts';
import { knowsModels } from '../read/logged-models.ts';
import { madeAnew } from '../read/made-anew.ts';
import { hasNewerTraces } from '../read/traces.ts';
import { SERVER_TRAITS } from '../traits.ts';
import { evaluationWriters } from './evaluation-writers.ts';
import { findCopiedRuns } from './find-copied-runs.ts';
import type { KnownRun } from './known-runs.ts';
import { createReadBack } from './read-back.ts';
import { removeDuplicateCopies } from './remove-duplicate-copies.ts';
import { secondPass } from './second-pass.ts';
import type { SentCounts } from './send-artifacts.ts';
import { targetContext } from './target-context.ts';
import { type ExperimentState, targetExperiments } from './target-experiments.ts';
import { loggedModelWriter } from './write-logged-model.ts';
import { olderTraceWriter } from './write-older-trace.ts';
import { registryWriter } from './write-registry.ts';
import { writeRun } from './write-run.ts';
import { traceWriter } from './write-trace.ts';

/**
 * Opens a tracking server (MLflow 2.9 and newer) for writing. Connection errors are those of {@link connect}. Of a dry run
 * no changing request is ever sent.
 */
export async function openServerWriter(place: ServerLocation, options: WriterOptions): Promise<Writer> {
  const client = await connect(place, options);
  const context = targetContext(client, options);
  const { routes, findings } = context;
  const experiments = targetExperiments({
    ...context,
    sourceIsAlive: options.sourceTraits.ownFingerprint,
  });
  const models = isAtLeast(client.server, '3.0') ? loggedModelWriter(context, experiments) : undefined;
  const registry = registryWriter(context, experiments, (id) => models?.has(id) === true);
  const evaluation = (await knowsEvaluation(client)) ? evaluationWriters(context) : undefined;
  const olderTraces =
    isAtLeast(client.server, '2.14') && !hasNewerTraces(client)
      ? olderTraceWriter(context, experiments)
      : undefined;
  const traces = hasNewerTraces(client)
    ? traceWriter(context, experiments, options.source)
    : olderTraces?.write;
  const readBack = createReadBack(options.tempDir);
  const { version } = client.server;

  /** PostgreSQL and MySQL columns are found out by their refusal: then the run is fitted to them and sent again. */
  async function run(source: RunReader, target: RunTarget): Promise<WrittenRun> {
    const experiment = experiments.get(target.experiment.experiment_id);
    const limits = context.limits();
    const sent = { points: 0, artifacts: 0, bytes: 0 };
    const before = (await experiment.known()).get(source.run.run_id);
    try {
      return await write(experiment, source, target, sent);
    } catch (error) {
      if (!isRefusal(error) || limits.columns !== undefined || !exceedsColumns(source.run, limits))
        throw error;
      context.limitToColumns();
      const written = await write(experiment, source, target, sent);
      return before === undefined ? { ...written, outcome: 'created' } : written;
    }
  }

  async function write(
    experiment: ExperimentState,
    source: RunReader,
    target: RunTarget,
    sent: SentCounts,
  ): Promise<WrittenRun> {
    const { written, expected } = await writeRun(context, experiment, source, target, sent);
    if (expected !== undefined) await readBack.expect(source.run.run_id, expected);
    return written;
  }

  async function end(): Promise<void> {
    await readBack.close();
    await client.close();
  }

  return {
    info: {
      kind: 'server',
      location: client.location,
      // A target is never the origin of anything.
      fingerprint: '',
      ...(version === undefined ? {} : { server_version: version }),
    },
    traits: { ...SERVER_TRAITS, modelsInRuns: !knowsModels(client) },
    experiment: experiments.open,
    async isCurrent(source, { experiment_id }, digest, toldFiles) {
      const experiment = experiments.get(experiment_id);
      await experiment.mustNotHold(source.run_id);
      const known = (await experiment.known()).get(source.run_id);
      if (known === undefined || known.digest !== digest) return undefined;
      const current = currentOutcome(source, known, experiment);
      if (current?.outcome !== 'unchanged' || toldFiles === undefined) return current;
      return isListed(await toldFiles(), known.files) ? current : undefined;
    },
    async heldModels(source_run_id, { experiment_id }) {
      return (await experiments.get(experiment_id).known()).get(source_run_id)?.models;
    },
    run,
    objects: new Map([
      ...(models === undefined ? [] : [['logged_model', models.write] as const]),
      ...(isAtLeast(client.server, '2.9')
        ? [['registered_model', registry.models] as const, ['model_version', registry.versions] as const]
        : []),
      ...(evaluation?.objects ?? []),
      ...(traces === undefined ? [] : [['trace', traces] as const]),
    ]),
    madeAnew: evaluation === undefined ? new Map() : madeAnew(client, findings),
    findRuns: (source_run_ids) => findCopiedRuns(client, routes, source_run_ids),
    secondPass: (pass) =>
      secondPass({ context, experiments, readBack, concurrency: options.concurrency }, pass),
    async finish() {
      for (const experiment of experiments.all()) await removeDuplicateCopies(context, experiment);
      await models?.finish();
      await olderTraces?.finish();
      registry.finish();
      await evaluation?.finish();
      if (routes.changes) await readBack.compare(routes, findings);
      await end();
    },
    abort: end,
  };
}

function exceedsColumns(run: Run, limits: TargetLimits): boolean {
  return fitRun(run, withColumns(limits)).losses.length > fitRun(run, limits).losses.length;
}

function isRefusal(error: unknown): boolean {
  return error instanceof MlferryError && (error.code === 'REFUSED' || error.code === 'SERVER_ERROR');
}

/** A complete copy whose digest is the source's: nothing to do, or left deleted, or `undefined` where its info differs. */
function currentOutcome(source: Run, known: KnownRun, experiment: ExperimentState): WrittenRun | undefined {
  const nothing = {
    run_id: known.run_id,
    points: 0,
    artifacts: 0,
    bytes: 0,
    ...(known.origin_parent === undefined ? {} : { origin_parent: known.origin_parent }),
    ...(known.models === undefined ? {} : { models: known.models }),
  };
  const stageFits = known.lifecycle_stage === source.lifecycle_stage || experiment.sourceDeleted;
  if (!stageFits) return known.lifecycle_stage === 'deleted' ? { ...nothing, outcome: 'left' } : undefined;
  // A run that goes on can get artifacts without a trace in its record.
  if (goesOn(source)) return undefined;
  if (known.status !== source.status) return undefined;
  if (source.end_time !== null && known.end_time !== source.end_time) return undefined;
  return { ...nothing, outcome: 'unchanged' };
}
