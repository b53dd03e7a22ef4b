import { createHash } from 'node:crypto';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { parse } from 'yaml';
import type { ObjectRecord } from '../kinds/kind.ts';
import { kindOf } from '../kinds/kinds.ts';
import { idOf } from '../kinds/marks.ts';
import { setArtifactPath } from '../kinds/model-files.ts';
import { linksOf, MODEL, type ModelLinks, modelsMadeBy, withLinks } from '../kinds/model-links.ts';
import { isLeftOut, type Parts } from '../kinds/parts.ts';
import { canonicalRecord } from '../kinds/wire-record.ts';
import type { RunLoss } from '../model/fit-run.ts';
import { freeFileName } from '../model/free-file-name.ts';
import { toJson } from '../model/json.ts';
import { historyEntry, parseModelHistory } from '../model/mlflow/model-history.ts';
import { MODEL_HISTORY_TAG, MODEL_VERSIONS_TAG } from '../model/mlflow/tags.ts';
import { MODELS_FILE } from '../model/own-files.ts';
import type { Experiment, Run } from '../model/records.ts';
import type { Selection } from '../model/selection.ts';
import { ownValue, stringMap } from '../model/string-map.ts';
import type { ArtifactEntry } from './artifact-owner.ts';
import type { ObjectReader } from './objects.ts';
import type { Reader, RunReader } from './place.ts';
import type { PlaceTraits } from './traits.ts';

/**
 * Logged models for a place that has none (MLflow 2): each becomes a directory among the files of its run, as MLflow 2
 * itself keeps models. The same functions say what is written and what must be there.
 */
export interface ModelsOfRuns {
  readonly all: readonly ObjectReader[];
  /** Those that a run made, in the order of their creation. */
  of(run: Run): readonly ObjectReader[];
}

/** A run with its logged models among its files. */
export interface RunWithModels {
  readonly reader: RunReader;
  /** Its links to models, which its record no longer has: they stand in one of its files. */
  readonly links: ModelLinks;
  /** Model → its directory; `undefined`: it has no files. */
  readonly paths: ReadonlyMap<string, string | undefined>;
  readonly losses: readonly RunLoss[];
}

/** Of a source without logged models. */
export const NO_MODELS: ModelsOfRuns = { all: [], of: () => [] };

/** Whether the logged models that are taken along become directories of their runs at a place. */
export function modelsAreInRuns({ traits }: { readonly traits: PlaceTraits }, parts: Parts): boolean {
  return traits.modelsInRuns === true && parts.objects.artifacts && !isLeftOut(kindOf(MODEL), parts);
}

/** The logged models of a source, to be given to their runs. Their records stay in memory. */
export async function modelsOfRuns(
  reader: Reader,
  selection: Selection,
  experiments: readonly Experiment[],
): Promise<ModelsOfRuns> {
  const source = sourceOf(reader);
  if (source === undefined) return NO_MODELS;
  const all: ObjectReader[] = [];
  const scope = { selection, experiments, isChosen: () => true, isHeld: () => false };
  for await (const model of source.read(scope)) all.push(model);
  const byRun = Map.groupBy(all, ({ record }) => record.source_run_id);
  const ofNone = byRun.get(undefined) ?? [];
  return {
    all,
    of(run) {
      const made = new Set(modelsMadeBy(linksOf(run)));
      return [...(byRun.get(run.run_id) ?? []), ...ofNone.filter((model) => made.has(modelId(model)))];
    },
  };
}

const sourceOf = ({ objects }: Reader) => objects?.get(MODEL);

const modelId = ({ of, record }: ObjectReader) => idOf(of, record);

/** The digest of a run that holds models among its files. */
export function digestWithModels(digest: string, models: readonly ObjectReader[]): string {
  if (models.length === 0) return digest;
  const hash = createHash('sha256').update(digest);
  for (const { record } of models) hash.update(`\n${recordText(record)}`);
  return hash.digest('hex');
}

const recordText = (record: ObjectRecord) => toJson(keptRecord(record));

/** What is kept of a model: all but what changes with each version that is registered from it. */
function keptRecord({ last_updated_timestamp_ms: _, ...record }: ObjectRecord): object {
  const tags = Object.entries(stringMap.parse(record.tags)).filter(([key]) => key !== MODEL_VERSIONS_TAG);
  return canonicalRecord(kindOf(MODEL), { ...record, tags: Object.fromEntries(tags) });
}

/**
 * A run with these models among its files: their directories, with the path in their `MLmodel` files; an entry each in the
 * tag `mlflow.log-model.history`; and one of mlferry's own files with what else is known of them, links included. `fail`
 * hears of a model whose files cannot be listed: it is left out, and the run is incomplete. `directories`: of
 * model-directories.ts.
 */
export async function withModels(
  source: RunReader,
  models: readonly ObjectReader[],
  {
    directories,
    keepModelFiles,
    fail,
  }: {
    readonly directories: ReadonlyMap<string, string>;
    readonly keepModelFiles: boolean;
    fail(model: ObjectReader, error: unknown): void;
  },
): Promise<RunWithModels> {
  const links = linksOf(withLinks(source.run, (await source.modelLinks?.()) ?? linksOf(source.run)));
  if (models.length + links.model_inputs.length + links.model_outputs.length === 0)
    return { reader: source, links, paths: new Map(), losses: [] };
  const paths = new Map<string, string | undefined>();
  const files = new Map<string, () => Promise<Readable | undefined>>();
  const entries: ArtifactEntry[] = [];
  const history: unknown[] = [];
  let incomplete = source.run.incomplete === true;
  for (const model of models) {
    const path = directories.get(modelId(model));
    if (path === undefined) continue;
    try {
      const found = await filesOf(model, path, source.run.run_id, keepModelFiles);
      for (const { entry, open } of found.files) {
        entries.push(entry);
        files.set(entry.path, open);
      }
      if (found.entry !== undefined) history.push(found.entry);
      paths.set(modelId(model), found.files.length > 0 ? path : undefined);
    } catch (error) {
      fail(model, error);
      incomplete = true;
    }
  }
  const { model_inputs: _, model_outputs: __, ...record } = source.run;
  const run: Run = {
    ...record,
    ...(incomplete ? { incomplete } : {}),
    tags: withHistory(record.tags, history),
  };
  const own = Buffer.from(modelsText(links, models, paths));
  const { modelLinks: ___, ...rest } = source;
  return {
    links,
    paths,
    losses: [...[...paths].map(([id, path]) => lossOf(id, path)), ...lossOfInputs(links)],
    reader: {
      ...rest,
      run,
      async *artifacts() {
        const taken = new Set<string>();
        const all = [...entries];
        for await (const entry of source.artifacts()) {
          taken.add(entry.path);
          all.push(entry);
        }
        const path = freeFileName(MODELS_FILE, taken);
        files.set(path, async () => Readable.from([own], { objectMode: false }));
        const sha256 = createHash('sha256').update(own).digest('hex');
        all.push({ path, size: own.length, sha256 });
        yield* all.sort((a, b) => (a.path < b.path ? -1 : 1));
      },
      open: (entry) => (files.get(entry.path) ?? (() => source.open(entry)))(),
    },
  };
}

/** A model's files as they are in its run, and its entry in the history. */
async function filesOf(model: ObjectReader, path: string, run_id: string, keepModelFiles: boolean) {
  const files: Array<{ entry: ArtifactEntry; open(): Promise<Readable | undefined> }> = [];
  let entry: unknown;
  for await (const file of model.artifacts()) {
    const own = { ...file, path: `${path}/${file.path}` };
    const text = file.path === 'MLmodel' ? await textOf(model, file) : undefined;
    if (text === undefined) {
      files.push({ entry: own, open: () => model.open(file) });
      continue;
    }
    const bytes = Buffer.from(keepModelFiles ? text : setArtifactPath(text, path));
    const sha256 = createHash('sha256').update(bytes).digest('hex');
    files.push({
      entry: { path: own.path, size: bytes.length, ...(file.sha256 === undefined ? {} : { sha256 }) },
      open: async () => Readable.from([bytes], { objectMode: false }),
    });
    entry = historyEntry(parsed(text), { run_id, artifact_path: path, model_uuid: modelId(model) });
  }
  return { files, entry };
}

/** Larger ones are no model files of MLflow. Bytes. */
const MOST_BYTES = 2 ** 20;

/** The text of a model file; `undefined` for one that is none, or whose bytes the source does not have. */
async function textOf(model: ObjectReader, file: ArtifactEntry): Promise<string | undefined> {
  if ((file.size ?? 0) > MOST_BYTES) return undefined;
  const body = await model.open(file);
  const bytes = body === undefined ? undefined : await buffer(body);
  const text = bytes?.toString();
  return text === undefined || text.includes('\ufffd') ? undefined : text;
}

function parsed(text: string): unknown {
  try {
    return parse(text);
  } catch {
    return undefined;
  }
}

function withHistory(tags: Run['tags'], added: readonly unknown[]): Run['tags'] {
  const before = ownValue(tags, MODEL_HISTORY_TAG);
  const known = before === undefined ? [] : parseModelHistory(before);
  if (known === undefined || added.length === 0) return tags;
  return { ...tags, [MODEL_HISTORY_TAG]: JSON.stringify([...known, ...added]) };
}

/** All that MLflow 2 has no place for, in the ids of the source. */
function modelsText(
  links: ModelLinks,
  models: readonly ObjectReader[],
  paths: ReadonlyMap<string, string | undefined>,
): string {
  const listed = models
    .filter((model) => paths.has(modelId(model)))
    .map((model) => ({
      path: paths.get(modelId(model)) ?? null,
      model: keptRecord(model.record),
    }));
  return toJson({ format: 'mlferry-logged-models', version: 1, ...links, models: listed });
}

function lossOf(model_id: string, path: string | undefined): RunLoss {
  const where = path === undefined ? 'has no files' : `is the directory ${path} of its run`;
  return {
    code: 'MODEL_IN_RUN',
    key: path ?? model_id,
    detail: `the target has no logged models: ${model_id} ${where}; its params, tags, values, status and links are in ${MODELS_FILE}`,
  };
}

function lossOfInputs({ model_inputs }: ModelLinks): RunLoss[] {
  if (model_inputs.length === 0) return [];
  const detail = `the target has no logged models: the links to those that the run read are in ${MODELS_FILE}`;
  return [{ code: 'MODEL_IN_RUN', key: 'model_inputs', count: model_inputs.length, detail }];
}
