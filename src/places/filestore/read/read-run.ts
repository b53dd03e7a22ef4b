import { join } from 'node:path';
import type { Loss } from '../../../model/findings.ts';
import { latestPoints } from '../../../model/mlflow/latest-points.ts';
import { RUN_NAME_TAG } from '../../../model/mlflow/tags.ts';
import type { Run } from '../../../model/records.ts';
import { ownValue } from '../../../model/string-map.ts';
import type { MetricPoints } from '../../place.ts';
import type { SeriesCache } from '../../reading/series-cache.ts';
import { readInputs } from '../layout/dataset-files.ts';
import { type KeyFile, listKeyFiles } from '../layout/key-paths.ts';
import { META_FILE } from '../layout/layout.ts';
import { toRunMeta } from '../layout/meta-records.ts';
import { readMetaYaml } from '../layout/meta-yaml.ts';
import { readMetricFile } from '../layout/metric-file.ts';
import { readOutputs } from '../layout/model-links.ts';
import { readTextFile } from '../layout/text-file.ts';
import { createDamage, type Damage } from './damage.ts';

/** A note on a run; the caller adds which run and experiment it is. */
export type RunLoss = Omit<Loss, 'run_id' | 'experiment_name'>;

/** A run as its directory holds it, and what of it cannot be carried. */
export interface LoadedRun {
  readonly run: Run;
  readonly losses: readonly RunLoss[];
  /** What of it cannot be read, by file and line: all else is there. */
  readonly damage: readonly string[];
}

/** Texts of all key files below a directory, keys in code-unit order. Without `damage` a file that cannot be read is an error. */
export async function readTexts(
  directory: string,
  kind: string,
  losses: RunLoss[],
  damage: Damage = createDamage(true),
  onForeign?: () => void,
): Promise<(readonly [string, string])[]> {
  const texts: (readonly [string, string])[] = [];
  for (const file of await listKeyFiles(directory, onForeign)) {
    if (file.problem !== undefined) {
      losses.push(unreadable(file, kind));
      continue;
    }
    const read = await damage.tolerate(file.path, async () => ({ text: await readTextFile(file.path) }));
    if (read === undefined) continue;
    if (read.text !== undefined) texts.push([file.key, read.text]);
    else
      losses.push({
        code: 'VALUE_NOT_ALLOWED',
        left_behind: true,
        key: file.key,
        detail: `The ${kind} is not UTF-8 text and is left out`,
      });
  }
  return texts;
}

function unreadable(file: KeyFile, kind: string): RunLoss {
  const detail = `The ${kind} is left out: ${file.problem}`;
  return { code: 'KEY_NOT_ALLOWED', left_behind: true, key: file.key, detail };
}

/**
 * Reads all of a run but its series and bytes; the series are streamed once for `latest_metrics`. With `strict` whatever is broken
 * in it is an error of the whole run; otherwise it is left out, and told in `damage`. Throws SOURCE_ITEM when the run is damaged,
 * a system error, or the reason of `signal`.
 */
export async function loadRun(
  experimentDir: string,
  runDir: string,
  cache: SeriesCache,
  strict: boolean,
  signal: AbortSignal,
): Promise<LoadedRun> {
  const losses: RunLoss[] = [];
  const damage = createDamage(strict);
  let foreign = 0;
  const onForeign = () => {
    foreign += 1;
  };
  const path = join(runDir, META_FILE);
  const { legacyTags, cutTimes, ...info } = toRunMeta(await readMetaYaml(path), path);
  for (const field of cutTimes) {
    losses.push({
      code: 'TIMESTAMP_NOT_ALLOWED',
      key: field,
      detail: 'The fraction of a millisecond is cut off',
    });
  }
  const params = await readTexts(join(runDir, 'params'), 'param', losses, damage, onForeign);
  const ownTags = await readTexts(join(runDir, 'tags'), 'tag', losses, damage, onForeign);
  const tags = Object.fromEntries([...legacyTags, ...ownTags]);
  let datasets = 0;
  async function* series(): AsyncGenerator<MetricPoints> {
    for (const file of await listKeyFiles(join(runDir, 'metrics'), onForeign)) {
      if (file.problem !== undefined) {
        losses.push(unreadable(file, 'metric'));
        continue;
      }
      let empty = true;
      const broken = damage.lines(file.path);
      for await (const chunk of readMetricFile(file.path, { onBroken: broken?.note })) {
        signal.throwIfAborted();
        empty = false;
        datasets += chunk.datasets;
        yield { key: file.key, points: chunk.points };
      }
      broken?.end();
      if (empty && broken?.isNone() !== false)
        losses.push({
          code: 'METRICS_NOT_CARRIED',
          key: file.key,
          detail: 'The metric has no value: its file is empty',
        });
    }
  }
  const latest_metrics = await latestPoints(cache.keep(runDir, series()));
  const inputs = await readInputs(experimentDir, runDir, damage.tolerate);
  for (const directory of inputs.missing) {
    losses.push({
      code: 'DATASET_DIFFERS',
      left_behind: true,
      detail: `An input names a dataset that is not there: ${directory}`,
    });
  }
  const model_outputs = await readOutputs(runDir, damage.tolerate);
  if (foreign > 0) {
    losses.push({
      code: 'FOREIGN_FILES',
      count: foreign,
      detail:
        'Files that a file manager, an editor or a sync tool left among params, tags and metrics are left out',
    });
  }
  if (datasets > 0) {
    losses.push({
      code: 'MODEL_LINKS',
      count: datasets,
      detail: 'Points name the dataset they were computed on; that link is not carried',
    });
  }
  const run_name = info.run_name || (ownValue(tags, RUN_NAME_TAG) ?? '');
  return {
    run: {
      kind: 'run',
      ...info,
      run_name,
      params: Object.fromEntries(params),
      tags,
      dataset_inputs: inputs.datasets,
      ...(inputs.models.length === 0
        ? {}
        : { model_inputs: inputs.models.map((model_id) => ({ model_id })) }),
      ...(model_outputs.length === 0 ? {} : { model_outputs }),
      latest_metrics,
    },
    losses,
    damage: damage.told,
  };
}

/** Streams the series of a run, of all keys or of some, in code-unit order, each in the order of its file. Throws SOURCE_ITEM. */
export async function* readMetrics(
  runDir: string,
  cache: SeriesCache,
  keys?: readonly string[],
): AsyncGenerator<MetricPoints> {
  const kept = cache.take(runDir);
  if (kept !== undefined) {
    for (const piece of kept) if (keys?.includes(piece.key) !== false) yield piece;
    return;
  }
  for (const { key, path, problem } of await listKeyFiles(join(runDir, 'metrics'))) {
    if (problem !== undefined || keys?.includes(key) === false) continue;
    // Broken lines were told when the run was loaded; with `strict` it would not have been.
    for await (const { points } of readMetricFile(path, { onBroken: () => undefined })) yield { key, points };
  }
}
