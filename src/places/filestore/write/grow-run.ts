import { join } from 'node:path';
import { DIGEST_TAG, FILES_TAG, GONE_DIGEST, ORIGIN_PARENT_TAG } from '../../../model/canonical.ts';
import { PARENT_TAG } from '../../../model/mlflow/tags.ts';
import { ownValue } from '../../../model/string-map.ts';
import type { MetricPoints, WrittenRun } from '../../place.ts';
import { toldFiles } from '../../writing/told-files.ts';
import { isThereIn } from '../../writing/write-files.ts';
import { readInputs } from '../layout/dataset-files.ts';
import { listKeyFiles } from '../layout/key-paths.ts';
import { META_FILE } from '../layout/layout.ts';
import { runMetaFields } from '../layout/meta-fields.ts';
import { type RunMeta, toRunMeta } from '../layout/meta-records.ts';
import { formatMetaYaml, readMetaYaml } from '../layout/meta-yaml.ts';
import { createOversizeFile } from '../layout/oversize.ts';
import { readTexts } from '../read/read-run.ts';
import { createKnownPoints, createMetricWriter, dropTornEnd, type KnownPoints } from './metric-writer.ts';
import { copyTag, fileListTag, tagsOf } from './new-run.ts';
import { holdable, holdableName, type RunJob } from './run-context.ts';
import { placeInputs, placeOversize, splitSeries, writeArtifacts } from './run-parts.ts';
import { readTag } from './target-runs.ts';

/** The copy of a run as it stands on the target, as far as `meta.yaml` and three tags tell. */
export interface Copy {
  readonly meta: RunMeta;
  readonly digest: string | undefined;
  /** The files that it has had, as a text of a list. */
  readonly files: string | undefined;
  readonly origin_parent: string | undefined;
}

/** Reads the copy in a run's directory. Throws SOURCE_ITEM when its `meta.yaml` is damaged. */
export async function readCopy(runDir: string): Promise<Copy> {
  const path = join(runDir, META_FILE);
  return {
    meta: toRunMeta(await readMetaYaml(path), path),
    digest: await readTag(runDir, DIGEST_TAG),
    files: await readTag(runDir, FILES_TAG),
    origin_parent: await readTag(runDir, ORIGIN_PARENT_TAG),
  };
}

/**
 * Completes the copy of a run: what is there stays and is never written twice; the digest comes last. In a dry run the
 * same is counted and nothing written.
 */
export async function growRun(job: RunJob, copy: Copy): Promise<WrittenRun> {
  const { context, target, record, runDir, note } = job;
  const { staging } = context;
  let changes = 0;
  const put = async (path: string, content: string) => {
    changes += 1;
    await staging.replaceFile(path, content);
  };
  const spill = await staging.newPath();
  const oversize = createOversizeFile(spill);
  try {
    const presentParams = new Map(await readTexts(join(runDir, 'params'), 'param', []));
    const params = holdable('params', record.params, [...presentParams.keys()], job, oversize);
    for (const [key, value] of params) {
      const present = presentParams.get(key);
      if (present === undefined) await put(join(runDir, 'params', key), value);
      else if (present !== value) {
        note({
          code: 'VALUE_CONFLICT',
          key,
          detail: 'the param has another value on the target, which was kept: params do not change',
        });
      }
    }
    const presentTags = new Map(await readTexts(join(runDir, 'tags'), 'tag', []));
    const tags = holdable('tags', tagsOf(record.tags, target), [...presentTags.keys()], job, oversize);
    for (const [key, value] of tags) {
      if (key === DIGEST_TAG || presentTags.get(key) === value) continue;
      // The second pass knows better: the parent was found in an earlier pass.
      if (key === ORIGIN_PARENT_TAG && presentTags.has(PARENT_TAG)) continue;
      await put(join(runDir, 'tags', key), value);
    }
    if (presentTags.has(ORIGIN_PARENT_TAG) && ownValue(record.tags, PARENT_TAG) !== undefined) {
      changes += 1;
      await staging.removeFile(join(runDir, 'tags', ORIGIN_PARENT_TAG));
    }
    const inputs = await readInputs(job.experimentDir, runDir);
    for (const [path, content] of await placeInputs(job, inputs.datasets, oversize))
      await put(join(runDir, path), content);

    const { points, keys: metrics } = await appendMissing(job, oversize);
    const artifactDir = join(runDir, 'artifacts');
    const told = await toldFiles(job.source);
    const files = await writeArtifacts(job, artifactDir, isThereIn(artifactDir));
    let { artifacts, bytes } = files;
    const run_name = holdableName('run_name', record.run_name, job, oversize);
    const user_id = holdableName('user_id', record.user_id, job, oversize);
    if (!oversize.isEmpty) {
      const placed = await placeOversize(artifactDir, spill, await oversize.close(), files.hasOversize);
      artifacts += placed.artifacts;
      bytes += placed.bytes;
    }
    const deleted =
      record.lifecycle_stage === 'active' &&
      copy.meta.lifecycle_stage === 'deleted' &&
      copy.digest !== GONE_DIGEST;
    const stage = deleted ? stageOf(copy.meta) : stageOf(record);
    const { deleted_time: _, ...rest } = record;
    const meta = formatMetaYaml(runMetaFields({ ...rest, run_name, user_id, ...stage }));
    if (meta !== formatMetaYaml(runMetaFields(copy.meta))) await put(join(runDir, META_FILE), meta);
    const [copyKey, copyValue] = copyTag(record, {
      run_name,
      params: params.map(([key, value]) => [key, presentParams.get(key) ?? value] as const),
      tags,
      metrics,
    });
    if (presentTags.get(copyKey) !== copyValue) await put(join(runDir, 'tags', copyKey), copyValue);
    const digest = tags.find(([key]) => key === DIGEST_TAG)?.[1];
    const isWhole = files.failed === 0;
    // A new account of the same files is no change of a run.
    for (const [key, text] of isWhole ? fileListTag(job, told, files, copy.files) : [])
      if (text !== copy.files) await staging.replaceFile(join(runDir, 'tags', key), text);
    if (isWhole && digest !== undefined && digest !== copy.digest)
      await put(join(runDir, 'tags', DIGEST_TAG), digest);
    const unchanged = changes + points + artifacts === 0;
    return {
      run_id: record.run_id,
      outcome: unchanged ? 'unchanged' : 'updated',
      points,
      artifacts,
      bytes,
      ...(isWhole ? {} : { incomplete: true }),
      ...(copy.origin_parent === undefined ? {} : { origin_parent: copy.origin_parent }),
    };
  } finally {
    await oversize.abandon();
  }
}

function stageOf({ lifecycle_stage, deleted_time }: Pick<RunMeta, 'lifecycle_stage' | 'deleted_time'>) {
  return { lifecycle_stage, ...(deleted_time === undefined ? {} : { deleted_time }) };
}

/** Appends the points that the copy does not have; their number, and the keys of all that it holds. */
async function appendMissing(
  job: RunJob,
  oversize: ReturnType<typeof createOversizeFile>,
): Promise<{ points: number; keys: ReadonlySet<string> }> {
  const directory = join(job.runDir, 'metrics');
  const writer = createMetricWriter(directory);
  const present = (await listKeyFiles(directory)).map(({ key }) => key);
  let current: { key: string; known: KnownPoints; clean: boolean } | undefined;
  let points = 0;
  const keys = new Set<string>();
  const take = async ({ key, points: piece }: MetricPoints) => {
    keys.add(key);
    if (current?.key !== key) {
      await current?.known.close();
      current = { key, known: createKnownPoints(join(directory, key)), clean: false };
    }
    const missing = await current.known.missing(piece);
    if (missing.length === 0) return;
    points += missing.length;
    if (job.context.staging.isDry) return;
    if (!current.clean) await dropTornEnd(join(directory, key));
    current.clean = true;
    await writer.append(key, missing);
  };
  try {
    await splitSeries(job, present, oversize, take);
    return { points, keys };
  } finally {
    await current?.known.close();
    await writer.close();
  }
}
