import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { sizeOfFile } from '../../../artifacts/local/put-file.ts';
import { describeObject } from '../../../kinds/kinds.ts';
import { DIGEST_TAG, ORIGIN_TAG, originId, withoutBookkeeping } from '../../../model/canonical.ts';
import type { FoundObject } from '../../../model/findings.ts';
import { type LoggedModel, loggedModel } from '../../../model/logged-model.ts';
import { MlferryError } from '../../../util/errors.ts';
import type { ArtifactEntry, ArtifactOwner } from '../../artifact-owner.ts';
import { fileFailure } from '../../file-failure.ts';
import type { ObjectReader, ObjectTarget, ObjectWriter, WrittenObject } from '../../objects.ts';
import { fileUri } from '../layout/file-uri.ts';
import { listKeyFiles } from '../layout/key-paths.ts';
import { META_FILE } from '../layout/layout.ts';
import { modelMetaFields } from '../layout/meta-fields.ts';
import { toModelMeta } from '../layout/meta-records.ts';
import { formatMetaYaml, readMetaYaml } from '../layout/meta-yaml.ts';
import { formatModelMetric } from '../layout/model-metric-lines.ts';
import { createOversizeFile } from '../layout/oversize.ts';
import { MODELS, readModelMetrics } from '../read/logged-models.ts';
import type { RunLoss } from '../read/read-run.ts';
import { readTexts } from '../read/read-run.ts';
import { type HeldMetric, type HeldModel, holdModel } from './fit-logged-model.ts';
import type { FilesJob, StoreContext } from './run-context.ts';
import { placeOversize, writeArtifacts, writeFiles } from './run-parts.ts';
import { storeIds } from './store-ids.ts';
import type { TargetExperiments } from './target-experiments.ts';
import { readTag } from './target-runs.ts';

/** MLflow's own form of a model id, and what a file can be called. */
const MODEL_ID = /^m-[\w-]{1,250}$/;

/** Writes logged models to a store: a new one whole and then by one rename, one that is there is completed. */
export function loggedModelWriter(context: StoreContext, experiments: TargetExperiments): ObjectWriter {
  const { root, staging } = context;
  const { copiesIn, newId } = storeIds(root, { folder: MODELS, pattern: MODEL_ID, prefix: 'm-' });

  return async (source, target) => {
    const { experiment_id } = loggedModel.parse(target.remap({ id: 'new' }));
    const experiment = experiments.get(experiment_id);
    const id = originId(target.origin);
    const known = (await copiesIn(experiment.directory)).get(id);
    const model_id = known ?? (await newId(id));
    const directory = join(experiment.directory, MODELS, model_id);
    const { name } = experiment.record;
    const artifact_uri = `${fileUri(root)}/${experiment_id}/${MODELS}/${model_id}/artifacts`;
    const record = withMarks(
      loggedModel.parse(target.remap({ id: model_id, artifact_uri })),
      artifact_uri,
      target,
    );
    const of: FoundObject = { kind: source.of.kind, id, name: record.name };
    const note = (loss: RunLoss) => context.findings.loss({ ...loss, of, experiment_name: name });
    const fail: ModelJob['fail'] = (path, error) =>
      context.findings.failure(fileFailure(path, error, { words: describeObject(of), of }));
    const job: ModelJob = { context, source, note, fail, record, directory };
    if (known !== undefined) return growModel(job, target);
    if (model_id !== id) {
      const detail = `the store has another logged model of this id, or cannot hold it; the copy is ${model_id}`;
      note({ code: 'RUN_ID_TAKEN', detail });
    }
    const written = await writeModel(job);
    if (!staging.isDry) (await copiesIn(experiment.directory)).set(id, model_id);
    return written;
  };
}

/** A logged model on its way into an experiment's directory. */
interface ModelJob extends FilesJob {
  readonly source: ObjectReader;
  readonly record: LoggedModel;
  readonly directory: string;
}

/** The record with mlferry's own tags. */
function withMarks(record: LoggedModel, artifact_uri: string, { origin, digest }: ObjectTarget): LoggedModel {
  return {
    ...record,
    artifact_uri,
    tags: Object.fromEntries([
      ...Object.entries(withoutBookkeeping(record.tags)),
      [ORIGIN_TAG, origin],
      [DIGEST_TAG, digest],
    ]),
  };
}

function metricFiles(metrics: readonly HeldMetric[]): Array<readonly [string, string]> {
  const byKey = Map.groupBy(metrics, ({ key }) => key);
  return [...byKey].map(([key, ofKey]) => [
    key,
    ofKey.map((metric) => `${formatModelMetric(metric)}\n`).join(''),
  ]);
}

async function writeModel(job: ModelJob): Promise<WrittenObject> {
  const { context, record, directory } = job;
  const spill = await context.staging.newPath();
  const oversize = createOversizeFile(spill);
  const fill = async (temporary: string | undefined): Promise<WrittenObject> => {
    const held = holdModel(record, directory, job.note, oversize);
    const meta = formatMetaYaml(modelMetaFields(record));
    if (temporary !== undefined) {
      for (const name of ['metrics', 'params', 'tags', 'artifacts'])
        await mkdir(join(temporary, name), { recursive: true });
      writeFiles(join(temporary, 'params'), held.params);
      writeFiles(join(temporary, 'metrics'), metricFiles(held.metrics));
      writeFiles(temporary, [[META_FILE, meta]]);
    }
    const artifactDir = join(temporary ?? directory, 'artifacts');
    const files = await writeArtifacts(job, artifactDir, async () => false);
    let { artifacts, bytes } = files;
    if (!oversize.isEmpty) {
      const placed = await placeOversize(artifactDir, spill, await oversize.close(), files.hasOversize);
      artifacts += placed.artifacts;
      bytes += placed.bytes;
    }
    if (temporary !== undefined) {
      // A model that lacks a file is not complete: it is looked at again.
      const tags =
        files.failed + files.notCarried === 0 ? held.tags : held.tags.filter(([key]) => key !== DIGEST_TAG);
      writeFiles(join(temporary, 'tags'), tags);
      await mustBe(temporary, { ...held, tags }, meta);
    }
    return { id: record.model_id, outcome: 'created', artifacts, bytes };
  };
  try {
    return await context.staging.placeDirectory(directory, fill);
  } finally {
    await oversize.abandon();
  }
}

/** Reads a written model back. Throws MISMATCH naming what differs. */
async function mustBe(directory: string, held: HeldModel, meta: string): Promise<void> {
  const fail = (what: string) => {
    throw new MlferryError('MISMATCH', `The logged model reads back differently: ${what} (${directory})`);
  };
  if ((await readFile(join(directory, META_FILE), 'utf8')) !== meta) fail(META_FILE);
  for (const kind of ['params', 'tags'] as const) {
    const found = new Map(await readTexts(join(directory, kind), kind, []));
    const wrong = held[kind].find(([key, value]) => found.get(key) !== value)?.[0];
    if (wrong !== undefined || found.size !== held[kind].length) fail(`${kind} ${wrong ?? ''}`);
  }
  if ((await readModelMetrics(directory)).length !== held.metrics.length) fail('metrics');
}

/** Completes the copy of a model: what is there stays; the digest comes last. */
async function growModel(job: ModelJob, { digest }: ObjectTarget): Promise<WrittenObject> {
  const { context, record, directory, note } = job;
  const { staging } = context;
  const nothing = { id: record.model_id, artifacts: 0, bytes: 0 };
  const path = join(directory, META_FILE);
  const present = toModelMeta(await readMetaYaml(path), path);
  if (present.deleted) {
    note({
      code: 'LEFT_DELETED',
      detail: `its copy ${record.model_id} was deleted on the target and was left deleted`,
    });
    return { ...nothing, outcome: 'left' };
  }
  const isPending = record.status === 'LOGGED_MODEL_PENDING';
  if ((await readTag(directory, DIGEST_TAG)) === digest && !isPending)
    return { ...nothing, outcome: 'unchanged' };
  let changes = 0;
  const put = async (name: string, content: string) => {
    changes += 1;
    await staging.replaceFile(join(directory, name), content);
  };
  const spill = await staging.newPath();
  const oversize = createOversizeFile(spill);
  try {
    const held = holdModel(record, directory, note, oversize);
    const params = new Map(await readTexts(join(directory, 'params'), 'param', []));
    for (const [key, value] of held.params) {
      if (!params.has(key)) await put(join('params', key), value);
      else if (params.get(key) !== value)
        note({
          code: 'VALUE_CONFLICT',
          key,
          detail: 'the param has another value on the target, which was kept',
        });
    }
    const tags = new Map(await readTexts(join(directory, 'tags'), 'tag', []));
    for (const [key, value] of held.tags)
      if (key !== DIGEST_TAG && tags.get(key) !== value) await put(join('tags', key), value);
    for (const [key, content] of await grownMetrics(directory, held.metrics))
      await put(join('metrics', key), content);
    const artifactDir = join(directory, 'artifacts');
    const files = await writeArtifacts(job, artifactDir, (entry) =>
      isSame(job.source, entry, join(artifactDir, ...entry.path.split('/'))),
    );
    let { artifacts, bytes } = files;
    if (!oversize.isEmpty) {
      const placed = await placeOversize(artifactDir, spill, await oversize.close(), files.hasOversize);
      artifacts += placed.artifacts;
      bytes += placed.bytes;
    }
    const meta = formatMetaYaml(modelMetaFields(record));
    if (meta !== (await readFile(path, 'utf8'))) await put(META_FILE, meta);
    if (files.failed + files.notCarried === 0 && tags.get(DIGEST_TAG) !== digest)
      await put(join('tags', DIGEST_TAG), digest);
    const outcome = changes + artifacts > 0 ? 'updated' : 'unchanged';
    return { id: record.model_id, outcome, artifacts, bytes };
  } finally {
    await oversize.abandon();
  }
}

/** The metric files that lack a value, whole. */
async function grownMetrics(
  directory: string,
  wanted: readonly HeldMetric[],
): Promise<Array<readonly [key: string, content: string]>> {
  const files = new Map((await listKeyFiles(join(directory, 'metrics'))).map(({ key, path }) => [key, path]));
  const grown: Array<readonly [string, string]> = [];
  for (const [key, content] of metricFiles(wanted)) {
    const path = files.get(key);
    const before = path === undefined ? '' : await readFile(path, 'utf8');
    const there = new Set(before.split('\n'));
    const missing = content.split('\n').filter((line) => line !== '' && !there.has(line));
    const start = before === '' || before.endsWith('\n') ? before : `${before}\n`;
    if (missing.length > 0) grown.push([key, `${start}${missing.join('\n')}\n`]);
  }
  return grown;
}

/** Whether a file stands there with the source's very bytes. */
async function isSame(source: ArtifactOwner, entry: ArtifactEntry, path: string): Promise<boolean> {
  const size = await sizeOfFile(path);
  if (size === undefined || (entry.size !== undefined && entry.size !== size)) return false;
  const there = createHash('sha256');
  for await (const chunk of createReadStream(path)) if (chunk instanceof Uint8Array) there.update(chunk);
  const found = there.digest('hex');
  if (entry.sha256 !== undefined) return entry.sha256 === found;
  const body = await source.open(entry);
  if (body === undefined) return true;
  const wanted = createHash('sha256');
  for await (const chunk of body) if (chunk instanceof Uint8Array) wanted.update(chunk);
  return wanted.digest('hex') === found;
}
