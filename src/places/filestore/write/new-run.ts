import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { copyDigest } from '../../../kinds/copy-digest.ts';
import { COPY_TAG, DIGEST_TAG, FILES_TAG, ORIGIN_TAG } from '../../../model/canonical.ts';
import { newFileListText, type ToldFiles } from '../../../model/file-list.ts';
import type { Run } from '../../../model/records.ts';
import type { StringMap } from '../../../model/string-map.ts';
import type { RunTarget, WrittenRun } from '../../place.ts';
import { toldFiles } from '../../writing/told-files.ts';
import type { ArtifactCounts } from '../../writing/write-files.ts';
import { META_FILE } from '../layout/layout.ts';
import { runMetaFields } from '../layout/meta-fields.ts';
import { formatMetaYaml } from '../layout/meta-yaml.ts';
import { createOversizeFile } from '../layout/oversize.ts';
import { checkRun } from './check-run.ts';
import { createMetricWriter } from './metric-writer.ts';
import { holdable, holdableName, type RunJob } from './run-context.ts';
import { placeInputs, placeOversize, splitSeries, writeArtifacts, writeFiles } from './run-parts.ts';

/** The tags a run gets, with mlferry's own. */
export function tagsOf(tags: StringMap, { origin, digest }: RunTarget): StringMap {
  return Object.fromEntries([
    ...Object.entries(tags),
    [ORIGIN_TAG, origin],
    ...(digest === undefined ? [] : [[DIGEST_TAG, digest]]),
  ]);
}

/** The tag that tells which files were copied, after a look at them. `told`: what the source told before it. */
export function fileListTag(
  { context: { sourceTraits } }: Pick<RunJob, 'context'>,
  told: ToldFiles,
  { list, notCarried }: ArtifactCounts,
  text?: string,
): (readonly [string, string])[] {
  const recorded = !sourceTraits.ownFingerprint;
  const own = newFileListText({ told, found: list, recorded, isMissing: notCarried > 0, text });
  return own === undefined ? [] : [[FILES_TAG, own]];
}

/** The tag that tells what was written of a record: these params and tags, under this name, and points of these keys. */
export function copyTag(
  record: Run,
  held: {
    readonly run_name: string;
    readonly params: Iterable<readonly [string, string]>;
    readonly tags: Iterable<readonly [string, string]>;
    readonly metrics: ReadonlySet<string>;
  },
): readonly [string, string] {
  const latest = Object.entries(record.latest_metrics).filter(([key]) => held.metrics.has(key));
  return [
    COPY_TAG,
    copyDigest({
      ...record,
      run_name: held.run_name,
      params: Object.fromEntries(held.params),
      tags: Object.fromEntries(held.tags),
      latest_metrics: Object.fromEntries(latest),
    }),
  ];
}

/**
 * Writes a run that the target has no copy of: all of it in the staging area, then one rename, so that there is never
 * half a run. Throws MISMATCH when what stands there is not what was written.
 */
export async function writeNewRun(job: RunJob): Promise<WrittenRun> {
  const { context, target, record } = job;
  if (record.start_time === null) {
    job.note({
      code: 'START_TIME_UNSET',
      detail: 'the run has no start time, and no MLflow reads such a run; it became 0',
    });
  }
  return context.staging.placeDirectory(job.runDir, (directory) => writeParts(job, directory));

  async function writeParts(run: RunJob, runDirectory: string | undefined): Promise<WrittenRun> {
    const spill = await context.staging.newPath();
    const oversize = createOversizeFile(spill);
    const series = runDirectory === undefined ? undefined : createMetricWriter(join(runDirectory, 'metrics'));
    try {
      const params = holdable('params', record.params, [], run, oversize);
      const tags = holdable('tags', tagsOf(record.tags, target), [], run, oversize);
      const run_name = holdableName('run_name', record.run_name, run, oversize);
      const user_id = holdableName('user_id', record.user_id, run, oversize);
      const inputs = await placeInputs(run, [], oversize);
      const meta = formatMetaYaml(runMetaFields({ ...record, run_name, user_id }));
      if (runDirectory !== undefined) {
        for (const name of ['metrics', 'params', 'artifacts', 'tags']) {
          await mkdir(join(runDirectory, name), { recursive: true });
        }
        writeFiles(join(runDirectory, 'params'), params);
        writeFiles(runDirectory, inputs);
      }
      const points = new Map<string, number>();
      await splitSeries(run, [], oversize, async ({ key, points: piece }) => {
        points.set(key, (points.get(key) ?? 0) + piece.length);
        await series?.append(key, piece);
      });
      await series?.close();
      const artifactDir = join(runDirectory ?? run.runDir, 'artifacts');
      const told = await toldFiles(run.source);
      const files = await writeArtifacts(run, artifactDir, async () => false);
      let { artifacts, bytes } = files;
      if (!oversize.isEmpty) {
        const placed = await placeOversize(artifactDir, spill, await oversize.close(), files.hasOversize);
        artifacts += placed.artifacts;
        bytes += placed.bytes;
      }
      // A run that lacks a file is not complete: it is looked at again.
      const isWhole = files.failed === 0;
      const copy = copyTag(record, { run_name, params, tags, metrics: new Set(points.keys()) });
      const whole = isWhole
        ? [...tags, copy, ...fileListTag(run, told, files)]
        : [...tags.filter(([key]) => key !== DIGEST_TAG), copy];
      if (runDirectory !== undefined) {
        writeFiles(join(runDirectory, 'tags'), whole);
        await writeFile(join(runDirectory, META_FILE), meta, { flush: true });
        await checkRun(runDirectory, {
          meta,
          params,
          tags: whole,
          points,
          inputs: inputs.length,
          artifacts,
          bytes,
        });
      }
      const total = [...points.values()].reduce((sum, count) => sum + count, 0);
      return {
        run_id: record.run_id,
        outcome: 'created',
        points: total,
        artifacts,
        bytes,
        ...(isWhole ? {} : { incomplete: true }),
      };
    } finally {
      await series?.close();
      await oversize.abandon();
    }
  }
}
