import { mustFit, renamed } from '../job/rename.ts';
import { isInShard, type Shard } from '../job/shard.ts';
import { kindOf } from '../kinds/kinds.ts';
import { MODEL } from '../kinds/model-links.ts';
import { ALL_PARTS } from '../kinds/parts.ts';
import { runDigest, withoutDeletedRuns } from '../model/canonical.ts';
import { PARENT_TAG } from '../model/mlflow/tags.ts';
import type { Experiment, Run } from '../model/records.ts';
import { wantsWholeExperiments } from '../model/selection.ts';
import { ownValue } from '../model/string-map.ts';
import { digestWithModels, modelsAreInRuns, modelsOfRuns, NO_MODELS } from '../places/models-in-runs.ts';
import type { TargetExperiment, WrittenRun } from '../places/place.ts';
import { readAhead } from '../util/read-ahead.ts';
import { carriedFiles, partDigest } from './carried-run.ts';
import { noteModels } from './note-models.ts';
import type { Pass, Work } from './pass.ts';

/** Runs handed to the readers together, so that histories can be fetched together: MLflow's bulk route takes 100. */
const CHUNK = 100;

/**
 * The selected runs that the target does not hold yet, or not whole, with their experiments found or made. While the
 * runs of one chunk are used, the next chunk is prepared.
 */
export async function* staleRuns(pass: Pass): AsyncGenerator<Work> {
  for await (const chunk of readAhead(chunks(pass))) yield* chunk;
}

async function* chunks(pass: Pass): AsyncGenerator<Work[]> {
  const { reader, counts, flow } = pass;
  const { selection, rename } = pass.options;
  const { experiments } = pass;
  for await (const experiment of reader.experiments(selection)) experiments.push(experiment);
  const words = experiments.flatMap(({ experiment_id: id, name }) =>
    rename.some(({ from }) => from === id) ? [name, id] : [name],
  );
  mustFit('--rename', rename, words, 'no selected experiment', 'mlferry experiments list shows the names.');
  noteShared(pass);
  if (modelsAreInRuns(pass.writer, pass.options.parts))
    pass.models = await modelsOfRuns(reader, selection, experiments).catch((error: unknown) => {
      pass.kindFailed(kindOf(MODEL), error);
      return NO_MODELS;
    });
  flow.total = experiments.length;
  let chunk: Work[] = [];
  const { shard } = pass.options;
  for (const source of experiments) {
    // Deleted ones take no runs any more: the last pass makes them.
    if (shard !== undefined && source.lifecycle_stage === 'deleted') continue;
    flow.experiment = source.name;
    counts.experiments.read += 1;
    try {
      const whole = wantsWholeExperiments(selection);
      if (whole) counts.runs.left_out += (await reader.hiddenRuns?.(source, selection)) ?? 0;
      let target = whole ? await targetExperiment(pass, source) : undefined;
      for await (const run of reader.runs(source, selection)) {
        if (shard !== undefined && !isOwn(run.run, shard)) continue;
        target ??= await targetExperiment(pass, source);
        counts.runs.read += 1;
        chunk.push({ source: run, experiment: target });
        if (chunk.length < CHUNK) continue;
        yield await stale(pass, chunk);
        chunk = [];
      }
    } catch (error) {
      pass.experimentFailed(source, error);
    }
    flow.done += 1;
    pass.progress();
  }
  if (chunk.length > 0) yield await stale(pass, chunk);
}

/** Whether a pass for a shard takes a run. What is deleted can be linked to nothing any more: the last pass brings it. */
function isOwn({ run_id, lifecycle_stage }: Run, shard: Shard): boolean {
  return lifecycle_stage === 'active' && isInShard(run_id, shard);
}

/** Finds or makes the experiment of the target that one of the source goes to. */
export async function targetExperiment(pass: Pass, source: Experiment): Promise<TargetExperiment> {
  const { into, rename, journal } = pass.options;
  const name = into ?? renamed(source, rename);
  const asTarget: Experiment =
    into === undefined ? source : { ...source, lifecycle_stage: 'active', tags: {} };
  const carried = pass.writer.traits.keepsIds ? asTarget : withoutDeletedRuns(asTarget);
  const target = await pass.writer.experiment(carried, name);
  if (target.created) pass.counts.experiments.created += 1;
  pass.ids.of('experiment').set(source.experiment_id, target.experiment_id);
  await journal?.experiment(source.experiment_id, target.experiment_id);
  if (asTarget.lifecycle_stage === 'deleted') pass.deletedExperiments.add(target.experiment_id);
  return target;
}

/** Tells of experiments of the source whose runs come together in one of the target because their names are the same. */
function noteShared({ experiments, writer, options: { into, rename, ledger } }: Pass): void {
  if (into !== undefined || writer.traits.keepsIds) return;
  const byName = Map.groupBy(experiments, (experiment) => renamed(experiment, rename));
  for (const [name, [first, ...others]] of byName) {
    const same = others.filter((other) => other.name === first?.name);
    if (same.length === 0) continue;
    const ids = [first, ...same].map((experiment) => experiment?.experiment_id).join(', ');
    ledger.loss({
      code: 'EXPERIMENTS_MERGED',
      experiment_name: name,
      count: same.length,
      detail: `experiments ${ids} of the source have this one name: their runs go into one experiment; --rename ID=NAME keeps them apart`,
    });
  }
}

/** The runs of a chunk that the target does not hold yet, or not whole. */
async function stale(pass: Pass, chunk: readonly Work[]): Promise<Work[]> {
  const { reader, writer } = pass;
  const { parts } = pass.options;
  const rest: Work[] = [];
  for (const work of chunk) {
    const { source, experiment } = work;
    const models = pass.models?.of(source.run) ?? [];
    const all = digestWithModels(runDigest(source.run), models);
    try {
      const run = kindOf('run');
      const part = partDigest(run, all, parts);
      // A whole copy has all that a smaller one would have, but not other bytes in its model files.
      const full = partDigest(run, all, { ...ALL_PARTS, keepModelFiles: parts.keepModelFiles });
      const allFiles = carriedFiles(source, { ...ALL_PARTS, artifacts: parts.artifacts });
      const current =
        (await writer.isCurrent(source.run, experiment, full, allFiles)) ??
        (part === full
          ? undefined
          : await writer.isCurrent(source.run, experiment, part, carriedFiles(source, parts)));
      if (current === undefined) rest.push(work);
      else {
        pass.wrote(source.run, experiment, current);
        noteModels(pass, current, (id) => current.models?.get(id), models);
        keepOpenParent(pass, source.run, experiment, current);
      }
    } catch (error) {
      pass.runFailed(source.run, error);
    }
  }
  if (rest.length > 0 && parts.metrics) reader.prefetch?.(rest.map(({ source }) => source));
  return rest;
}

/** A parent that was not on the target in an earlier pass may be there now: the second pass looks. */
function keepOpenParent(pass: Pass, source: Run, experiment: TargetExperiment, written: WrittenRun): void {
  const parent = ownValue(source.tags, PARENT_TAG);
  if (written.origin_parent === undefined || written.origin_parent !== parent) return;
  pass.open.push({
    source: { run_id: source.run_id, artifact_uri: source.artifact_uri },
    own: { run_id: written.run_id, experiment_id: experiment.experiment_id, artifact_uri: '' },
    experiment_name: experiment.name,
    tags: new Map([[PARENT_TAG, parent]]),
    digest: undefined,
  });
}
