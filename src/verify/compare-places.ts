import { renamed } from '../job/rename.ts';
import { linkedModels, MODEL } from '../kinds/model-links.ts';
import { runReferences } from '../kinds/remap.ts';
import { ORIGIN_TAG } from '../model/canonical.ts';
import type { Experiment, Run } from '../model/records.ts';
import { wantsWholeExperiments } from '../model/selection.ts';
import { ownValue } from '../model/string-map.ts';
import type { Reader, RunReader } from '../places/place.ts';
import { endsJob } from '../util/ends-job.ts';
import { asMlferryError, type MlferryError } from '../util/errors.ts';
import { mapConcurrent } from '../util/map-concurrent.ts';
import { compareExperiment } from './compare-experiment.ts';
import { compareObjects, findCopies } from './compare-objects.ts';
import { compareRun, type RunFrame } from './compare-run.ts';
import { type ComparedIds, comparedIds } from './compared-ids.ts';
import { modelsIn, withItsModels } from './compared-models.ts';
import type { ComparisonFrame } from './comparison-frame.ts';
import { OF_OBJECT } from './damage.ts';
import { listUnmatched } from './list-unmatched.ts';
import { chunksOf, pairRuns, type RunPair } from './pair-runs.ts';
import { createTargetIndex, EVERYTHING, type TargetIndex } from './target-index.ts';

/** Runs whose histories are fetched together. */
const CHUNK = 100;

/** An experiment of the source, where its runs should be, and which they are. */
interface Mapped {
  readonly source: Experiment;
  readonly name: string;
  readonly target: Experiment | undefined;
  readonly ids: Set<string>;
  /** Those of its runs whose models are to be found among their files. */
  readonly withModels: RunReader[];
  /** Could be read so far, on both sides; what could not is listed already. */
  readable: boolean;
}

/** Compares all that is selected at the source with what the target has of it. Throws what stops the job. */
export async function compareRuns(source: Reader, target: Reader, frame: ComparisonFrame): Promise<void> {
  const { selection, book, progress } = frame;
  const experiments = await mapExperiments(source, target, frame);
  const references = new Set<string>();
  const models = await modelsIn(source, target, experiments, frame);
  for (const mapped of experiments) {
    await orListed(frame, mapped, async () => {
      for await (const found of source.runs(mapped.source, selection)) {
        const { run } = found;
        mapped.ids.add(run.run_id);
        if (models !== undefined && models.of(run).length > 0) mapped.withModels.push(found);
        const { tags, inputs } = runReferences(run);
        for (const id of [...[...tags.values()].flat(), ...inputs]) references.add(id);
      }
    });
  }
  // A copy makes an experiment whose runs are chosen one by one only when there is one.
  const counted = wantsWholeExperiments(selection)
    ? experiments
    : experiments.filter(({ ids, readable }) => ids.size > 0 || !readable);
  const index = createTargetIndex(target, source, frame.held);
  await indexTarget(index, counted, references, target, frame);
  for (const mapped of experiments)
    await orListed(frame, mapped, async () => models?.find(mapped.withModels, index.modelsOf));
  const known = comparedIds(experiments, counted, index, models);
  const copies = await findCopies(source, target, known, frame);
  progress.experiments(counted.length);
  for (const mapped of counted) {
    progress.experiment(mapped.source.name);
    if (mapped.readable) {
      addExperiment(mapped, counted, target, frame);
      await orListed(frame, mapped, () => compareExperimentRuns(source, target, mapped, index, known, frame));
    }
    progress.experimentDone();
  }
  book.runs.others += index.others();
  await listUnmatched(source, index, frame);
  await compareObjects(source, target, known, copies, frame);
}

async function mapExperiments(source: Reader, target: Reader, frame: ComparisonFrame): Promise<Mapped[]> {
  const byName = new Map<string, Experiment>();
  for await (const experiment of target.experiments(EVERYTHING)) {
    const known = byName.get(experiment.name);
    if (known === undefined || known.lifecycle_stage === 'deleted') byName.set(experiment.name, experiment);
  }
  const mapped: Mapped[] = [];
  for await (const experiment of source.experiments(frame.selection)) {
    const name = frame.into ?? renamed(experiment, frame.rename);
    mapped.push({
      source: experiment,
      name,
      target: byName.get(name),
      ids: new Set(),
      withModels: [],
      readable: true,
    });
  }
  return mapped;
}

/** Scans the target where copies should be; all of it where references lead out, or where everything is compared. */
async function indexTarget(
  index: TargetIndex,
  experiments: readonly Mapped[],
  references: ReadonlySet<string>,
  target: Reader,
  frame: ComparisonFrame,
): Promise<void> {
  const { selection } = frame;
  const byTarget = Map.groupBy(experiments, ({ target: found }) => found?.experiment_id);
  const all = new Set(experiments.flatMap(({ ids }) => [...ids]));
  for (const [id, group] of byTarget) {
    const found = group[0]?.target;
    if (id === undefined || found === undefined) continue;
    const ids = new Set(group.flatMap((mapped) => [...mapped.ids]));
    // One scan for all that go into this experiment.
    const scan = index.scan(found, ids);
    for (const mapped of group) await orListed(frame, mapped, () => scan);
  }
  const everything = selection.experiments.length + selection.runs.length === 0;
  if (!everything && [...references].every((id) => index.runIds.has(id))) return;
  for await (const other of target.experiments(EVERYTHING))
    if (!byTarget.has(other.experiment_id)) await index.scanOther(other, all);
}

function addExperiment(
  { source, name, target: found }: Mapped,
  all: readonly Mapped[],
  target: Reader,
  { book, into, expected, isReported }: ComparisonFrame,
): void {
  const item = { kind: 'experiment' as const, id: source.experiment_id, name: source.name };
  if (found === undefined) {
    book.add({ ...item, symbol: '+', differences: [] });
    return;
  }
  const shared = into !== undefined || all.filter((other) => other.name === name).length > 1;
  const { differences, losses } = compareExperiment(source, found, {
    name,
    representation: target.representation,
    shared,
  });
  const unexpected = differences.filter((difference) => !isReported(difference, { experiment_name: name }));
  for (const loss of losses) expected.loss({ ...loss, experiment_name: source.name });
  book.add({
    ...item,
    target_id: found.experiment_id,
    symbol: unexpected.length > 0 ? '*' : '=',
    differences: unexpected,
  });
}

async function compareExperimentRuns(
  source: Reader,
  target: Reader,
  { source: experiment, name, target: found, ids }: Mapped,
  index: TargetIndex,
  known: ComparedIds,
  frame: ComparisonFrame,
): Promise<void> {
  const { selection, parts, concurrency } = frame;
  const copyOf = (id: string) => (found === undefined ? undefined : index.copyOf(found.experiment_id, id));
  const copies = new Set([...ids].flatMap((id) => copyOf(id) ?? []));
  const pairs = pairRuns(
    source.runs(experiment, selection),
    found === undefined || copies.size === 0 ? nothing() : target.runs(found, EVERYTHING),
    copyOf,
    (id) => copies.has(id),
  );
  for await (const chunk of chunksOf(pairs, CHUNK)) {
    const both = chunk.filter((pair) => pair.target !== undefined);
    if (parts.metrics && !parts.quick && both.length > 0) {
      source.prefetch?.(both.map((pair) => pair.source));
      target.prefetch?.(both.flatMap((pair) => pair.target ?? []));
    }
    await mapConcurrent(chunk, concurrency, (pair) =>
      comparePair(pair, source, target, experiment, name, index, known, frame),
    );
  }
}

async function* nothing(): AsyncGenerator<never> {}

async function comparePair(
  pair: RunPair,
  source: Reader,
  target: Reader,
  experiment: Experiment,
  name: string,
  index: TargetIndex,
  known: ComparedIds,
  frame: ComparisonFrame,
): Promise<void> {
  const { book, parts, expected, signal, progress } = frame;
  const { run } = pair.source;
  const item = { kind: 'run' as const, id: run.run_id, name: run.run_name, experiment_name: experiment.name };
  signal.throwIfAborted();
  progress.runSeen();
  if (pair.target === undefined) {
    const unreadable = frame.unreadable.target.has(run.run_id);
    // The failure of the target's run is listed already.
    if (!unreadable) book.add({ ...item, symbol: '+', differences: [] });
    progress.runDone(unreadable);
    return;
  }
  const copy = pair.target.run;
  try {
    const runFrame: RunFrame = {
      runIds: index.runIds,
      modelIds: known.ids.of(MODEL),
      named: known.named.of(MODEL),
      kept: isKept(run, copy, target),
      inDeletedExperiment: frame.into === undefined && experiment.lifecycle_stage === 'deleted',
      representation: target.representation,
      parts,
      bandwidth: frame.bandwidth,
      sourceTraits: source.traits,
      targetTraits: target.traits,
      isHidden: (path) => frame.isHidden(copy.run_id, path),
      onProgress: progress.amount,
    };
    const {
      wanted,
      links,
      losses: ofModels,
      directories,
    } = await withItsModels(pair.source, known.models, parts);
    for (const id of linkedModels(links)) runFrame.named.set(id, id);
    const { differences, losses, ...amount } = await compareRun(wanted, pair.target, {
      ...runFrame,
      ...(directories === undefined ? {} : { directories }),
    });
    const owner = { experiment_name: name, run_id: run.run_id };
    const unexpected = differences.filter((difference) => !frame.isReported(difference, owner));
    for (const loss of [...ofModels, ...losses])
      expected.loss({ ...loss, run_id: run.run_id, experiment_name: experiment.name });
    progress.checked(amount);
    book.add({
      ...item,
      target_id: copy.run_id,
      symbol: unexpected.length > 0 ? '*' : '=',
      differences: unexpected,
    });
    progress.runDone(false);
  } catch (error) {
    const known = asMlferryError(error);
    if (endsJob(known, OF_OBJECT)) throw known;
    book.add({ ...item, target_id: copy.run_id, symbol: '!', differences: [], reason: reasonOf(known) });
    progress.runDone(true);
  }
}

/** Whether the target's run is the source's own record: archives and streams keep it, and so does what was archived. */
function isKept(source: Run, copy: Run, target: Reader): boolean {
  if (source.run_id !== copy.run_id) return false;
  return (
    target.representation === undefined ||
    ownValue(source.tags, ORIGIN_TAG) === ownValue(copy.tags, ORIGIN_TAG)
  );
}

const reasonOf = ({ message, code }: MlferryError) => `${message} (${code})`;

/** An error of one experiment is listed once, and the others go on. */
async function orListed({ book }: ComparisonFrame, mapped: Mapped, task: () => Promise<void>): Promise<void> {
  try {
    await task();
  } catch (error) {
    const known = asMlferryError(error);
    if (endsJob(known)) throw known;
    const { experiment_id: id, name } = mapped.source;
    if (mapped.readable)
      book.add({ kind: 'experiment', symbol: '!', id, name, differences: [], reason: reasonOf(known) });
    mapped.readable = false;
  }
}
