import { latestPoints } from '../model/mlflow/latest-points.ts';
import type { Experiment } from '../model/records.ts';
import type { Reader, RunReader } from '../places/place.ts';
import { endsJob } from '../util/ends-job.ts';
import { asMlferryError, MlferryError } from '../util/errors.ts';
import { mapConcurrent } from '../util/map-concurrent.ts';
import type { CheckFrame } from './check-frame.ts';
import { checkObjects } from './check-objects.ts';
import { latestDifferences } from './compare-record.ts';
import { EXACT } from './compare-series.ts';
import { OF_OBJECT } from './damage.ts';
import { chunksOf } from './pair-runs.ts';
import { readArtifacts } from './read-artifacts.ts';

const CHUNK = 100;

/**
 * Reads every selected run of a place whole: its record, its histories, which must agree with its latest points, the list
 * of its files, and unless `quick` their bytes. What cannot be read is listed. Throws what stops the job.
 */
export async function checkPlace(reader: Reader, frame: CheckFrame): Promise<void> {
  const { selection, parts, book, progress } = frame;
  const experiments: Experiment[] = [];
  for await (const experiment of reader.experiments(selection)) experiments.push(experiment);
  progress.experiments(experiments.length);
  for (const experiment of experiments) {
    progress.experiment(experiment.name);
    const { experiment_id: id, name } = experiment;
    try {
      for await (const chunk of chunksOf(reader.runs(experiment, selection), CHUNK)) {
        if (parts.metrics) reader.prefetch?.(chunk);
        await mapConcurrent(chunk, frame.concurrency, (run) => checkRun(run, experiment, frame));
      }
      book.add({ kind: 'experiment', symbol: '=', id, name, differences: [] });
    } catch (error) {
      const known = asMlferryError(error);
      if (endsJob(known)) throw known;
      const reason = `${known.message} (${known.code})`;
      book.add({ kind: 'experiment', symbol: '!', id, name, differences: [], reason });
    }
    progress.experimentDone();
  }
  await checkObjects(reader, experiments, frame);
}

async function checkRun(source: RunReader, experiment: Experiment, frame: CheckFrame): Promise<void> {
  const { book, parts, progress, signal } = frame;
  const { run_id: id, run_name: name } = source.run;
  const item = { kind: 'run' as const, id, name, experiment_name: experiment.name, differences: [] };
  signal.throwIfAborted();
  frame.runs.add(id);
  progress.runSeen();
  try {
    const points = parts.metrics ? await readSeries(source, frame) : 0;
    const { files, bytes } = parts.artifacts ? await readArtifacts(source, frame) : { files: 0, bytes: 0 };
    progress.checked({ points, files, bytes });
    book.add({ ...item, symbol: '=' });
    progress.runDone(false);
  } catch (error) {
    const known = asMlferryError(error);
    if (endsJob(known, OF_OBJECT)) throw known;
    book.add({ ...item, symbol: '!', reason: `${known.message} (${known.code})` });
    progress.runDone(true);
  }
}

async function readSeries(source: RunReader, { progress }: CheckFrame): Promise<number> {
  const { checkedPoints } = source;
  if (checkedPoints !== undefined) {
    progress.amount(checkedPoints, 0);
    return checkedPoints;
  }
  let count = 0;
  async function* counted() {
    for await (const piece of source.metrics()) {
      count += piece.points.length;
      progress.amount(piece.points.length, 0);
      yield piece;
    }
  }
  const latest = await latestPoints(counted());
  const [wrong] = latestDifferences(source.run.latest_metrics, latest, EXACT);
  if (wrong !== undefined) {
    const key = wrong.field.slice('latest_metrics.'.length);
    throw new MlferryError(
      'SOURCE_ITEM',
      `The history of ${JSON.stringify(key)} does not agree with its latest point: ${wrong.source ?? 'none'} is shown, ${wrong.target ?? 'none'} is in the history`,
    );
  }
  return count;
}
