import { createIdMap, type KindIds, type KnownIds } from '../kinds/id-map.ts';
import { kindOf } from '../kinds/kinds.ts';
import { remapModelFiles } from '../kinds/model-files.ts';
import { linkedModels, linksOf, MODEL, withLinks } from '../kinds/model-links.ts';
import { isLeftOut, type Parts } from '../kinds/parts.ts';
import type { RunLoss } from '../model/fit-run.ts';
import type { Run } from '../model/records.ts';
import type { RunReader } from '../places/place.ts';
import type { PointRules, RepresentedRun } from '../places/representation.ts';
import type { PlaceTraits } from '../places/traits.ts';
import { appendAll } from '../util/append-all.ts';
import type { Bandwidth } from '../util/bandwidth.ts';
import {
  type ArtifactComparison,
  type ArtifactRules,
  compareArtifacts,
  missingOwnFile,
} from './compare-artifacts.ts';
import { latestDifferences, recordDifferences } from './compare-record.ts';
import { compareSeries, EXACT } from './compare-series.ts';
import type { Difference } from './difference.ts';
import { type CopyFrame, expectedRun } from './expected-run.ts';

/** What of a run is compared. */
export interface ComparedParts extends Parts {
  /** Fields, latest points, paths and sizes; no histories, no bytes. */
  readonly quick: boolean;
}

/** Everything that a run's comparison needs. */
export interface RunFrame extends CopyFrame {
  readonly parts: ComparedParts;
  readonly bandwidth: Bandwidth | undefined;
  /** Takes the models that the run names, by their source ids. */
  readonly named: KindIds;
  readonly sourceTraits: PlaceTraits;
  readonly targetTraits: PlaceTraits;
  /** The files in these directories are compared, although files of runs are not: they are those of its models. */
  readonly directories?: ReadonlySet<string>;
  /** Whether the target's reader cannot see an artifact of this path. */
  isHidden(path: string): boolean;
  onProgress(points: number, bytes: number): void;
}

/** What comparing a run gave. */
export interface RunComparison {
  readonly differences: readonly Difference[];
  readonly losses: readonly RunLoss[];
  readonly points: number;
  readonly files: number;
  readonly bytes: number;
}

/** Compares a run with its copy, field by field. Throws what reading either side throws. */
export async function compareRun(
  source: RunReader,
  target: RunReader,
  frame: RunFrame,
): Promise<RunComparison> {
  const { parts, kept, representation } = frame;
  const [run, present] = await Promise.all([withAllLinks(source, parts), withAllLinks(target, parts)]);
  for (const id of linkedModels(linksOf(run))) frame.named.set(id, id);
  const held = closest(expectedRun(run, present, frame), present, kept);
  const differences = recordDifferences(held.run, present, kept);
  const losses = [...held.losses];
  let spills = held.spills;
  let spillsPoints = false;
  let points = 0;
  let files = 0;
  let bytes = 0;

  if (parts.metrics) {
    const rules = kept || representation === undefined ? EXACT : representation.points(target.run);
    const series = await metricDifferences(source, target, rules, frame);
    appendAll(differences, series.differences);
    appendAll(losses, series.losses);
    points = series.points;
    spillsPoints = series.refused > 0 && representation?.refusedPoints === 'metrics';
    spills ||= series.refused > 0 && representation?.refusedPoints === 'oversize';
  }
  if (parts.artifacts || frame.directories !== undefined) {
    const placement =
      kept || representation === undefined
        ? (path: string) => ({ path })
        : await representation.artifacts(target.run);
    const found = await compareFiles(source, withFilesIn(target, frame.directories), frame, {
      placement,
      files: parts.files,
      bandwidth: frame.bandwidth,
      quick: parts.quick,
      ownFiles: !kept && representation !== undefined,
      isHidden: frame.isHidden,
      sourceTraits: frame.sourceTraits,
      targetTraits: frame.targetTraits,
      onBytes: (count) => frame.onProgress(0, count),
    });
    appendAll(differences, found.differences);
    appendAll(losses, found.losses);
    ({ files, bytes } = found);
    const needed = [spills ? ('oversize' as const) : [], spillsPoints ? ('metrics' as const) : []].flat();
    if (!found.unreachable)
      differences.push(...needed.filter((kind) => !found.own.has(kind)).map(missingOwnFile));
  }
  return { differences, losses, points, files, bytes };
}

/**
 * Compares the files of a run, with the ids of the target in its `MLmodel` files. An object that came after the run has the
 * source's id in them: of both right forms the one counts that is nearest to what is there.
 */
async function compareFiles(
  source: RunReader,
  target: RunReader,
  { kept, parts, runIds, modelIds }: RunFrame,
  rules: ArtifactRules,
): Promise<ArtifactComparison> {
  if (kept || parts.keepModelFiles) return compareArtifacts(source, target, rules);
  const root = ({ run: { kind, run_id: id, artifact_uri } }: RunReader) => ({ kind, id, artifact_uri });
  const compared = (ids: KnownIds) =>
    compareArtifacts(
      remapModelFiles(source, root(source), () => root(target), ids),
      target,
      rules,
    );
  const found = await compared({ of: (kind) => (kind === MODEL ? modelIds : runIds) });
  if (!found.differences.some(({ field }) => /MLmodel (size|sha256)$/.test(field))) return found;
  const early = await compared(createIdMap());
  return early.differences.length < found.differences.length ? early : found;
}

/** A run with its files in these directories only. */
function withFilesIn(run: RunReader, directories: ReadonlySet<string> | undefined): RunReader {
  if (directories === undefined) return run;
  return {
    ...run,
    async *artifacts() {
      for await (const entry of run.artifacts())
        if (directories.has(entry.path.split('/')[0] ?? '')) yield entry;
    },
  };
}

/** A run's record with all its links to models, for which a server is asked by themselves; without any where models are left out. */
async function withAllLinks({ run, modelLinks }: RunReader, parts: Parts): Promise<Run> {
  const links = isLeftOut(kindOf(MODEL), parts) ? linksOf({}) : await modelLinks?.();
  return links === undefined ? run : withLinks(run, links);
}

/** Of several right forms the one that is nearest to what is there. */
function closest(
  forms: readonly [RepresentedRun, ...RepresentedRun[]],
  present: Run,
  kept: boolean,
): RepresentedRun {
  const [first, ...others] = forms;
  let best = { form: first, differences: recordDifferences(first.run, present, kept).length };
  for (const form of others) {
    const differences = recordDifferences(form.run, present, kept).length;
    if (differences < best.differences) best = { form, differences };
  }
  return best.form;
}

async function metricDifferences(source: RunReader, target: RunReader, rules: PointRules, frame: RunFrame) {
  const latest = latestDifferences(source.run.latest_metrics, target.run.latest_metrics, rules);
  if (frame.parts.quick) {
    const losses = Object.keys(source.run.latest_metrics).flatMap((key): RunLoss[] => {
      const detail = rules.problemOf(key);
      return detail === undefined ? [] : [{ code: 'KEY_NOT_ALLOWED', key, detail }];
    });
    return { differences: latest, losses, points: 0, refused: 0 };
  }
  const series = await compareSeries(source, target, rules, (count) => frame.onProgress(count, 0));
  const changed = new Set(series.differences.map(({ key }) => `latest_metrics.${key}`));
  const differences: Difference[] = series.differences.map(({ key, ...points }) => ({
    field: `metrics.${key}`,
    source: points.first.source,
    target: points.first.target,
    points,
  }));
  // What follows from the history is said once.
  appendAll(
    differences,
    latest.filter(({ field }) => !changed.has(field)),
  );
  return { ...series, differences };
}
