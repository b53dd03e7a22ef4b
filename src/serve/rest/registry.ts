import { z } from 'zod';
import { isPrompt, VERSION } from '../../kinds/model-registry.ts';
import { PROMPT_TAG } from '../../model/mlflow/tags.ts';
import { type ModelVersion, modelVersion, registeredModel } from '../../model/registered-model.ts';
import type { Expression } from '../../search/expression.ts';
import { list } from '../answers/json-values.ts';
import { latestOfStages, registeredModelAnswer, versionAnswer } from '../answers/registry-answer.ts';
import { count, parsed, searchFields, texts } from '../asked.ts';
import type { Context, Handler } from '../context.ts';
import { pageOf } from '../page.ts';
import { absent } from '../refusal.ts';
import { searchObjects } from '../search-records.ts';
import { RUN } from '../served-place.ts';
import { rootOfModel, rootOfRun, rootOfVersion, servedSource } from '../served-roots.ts';

const MODEL = 'registered_model';
const nameSchema = z.object({ name: z.string() });
const versionSchema = z.object({
  name: z.string(),
  version: z.union([z.string(), z.number()]).transform(String),
});

/** Versions of registered models, and where clients find the files of each. */
async function registryOf({ place }: Context) {
  const { table } = await place.records(VERSION.kind);
  const parse = (text: string) => modelVersion.parse(JSON.parse(text));
  const homes = new Map<string, string | undefined>();
  const find = async (version: ModelVersion) => {
    const [, model_id, run_id] =
      /\/(?:models\/(m-[\w-]+)|([0-9a-f]{32}))\/artifacts(?:\/|$)/.exec(version.source) ?? [];
    if (run_id !== undefined) {
      const run = await place.run(run_id);
      homes.set(`${RUN} ${run_id}`, run && rootOfRun(run.experiment_id, run_id));
    }
    if (model_id !== undefined) {
      const model = await place.object('logged_model', model_id);
      homes.set(`logged_model ${model_id}`, model && rootOfModel(String(model.experiment_id), model_id));
    }
  };
  const sourceOf = (version: ModelVersion) =>
    servedSource(version.source, (kind, id) => homes.get(`${kind} ${id}`));
  return {
    versionsOf: async (name: string) => {
      const versions = [...table.each(VERSION.kind, [name])].map(parse);
      for (const version of versions) await find(version);
      return versions.sort((a, b) => Number(a.version) - Number(b.version));
    },
    async version(id: string) {
      const text = table.get(VERSION.kind, id);
      if (text === undefined) return undefined;
      const version = parse(text);
      await find(version);
      return version;
    },
    sourceOf,
  };
}

async function registeredModelOf(context: Context, name: string) {
  const found = await context.place.object(MODEL, name);
  if (found === undefined) throw absent(`Registered Model with name=${name}`);
  const { versionsOf, sourceOf } = await registryOf(context);
  return { model: registeredModel.parse(found), versions: await versionsOf(name), sourceOf };
}

export const getRegisteredModel: Handler = async (context, asked) => {
  const { model, versions, sourceOf } = await registeredModelOf(context, parsed(nameSchema, asked).name);
  return { json: { registered_model: registeredModelAnswer(model, versions, sourceOf) } };
};

const latestSchema = z.object({ name: z.string(), stages: texts });

export const getLatestVersions: Handler = async (context, asked) => {
  const { name, stages } = parsed(latestSchema, asked);
  const { versions, sourceOf } = await registeredModelOf(context, name);
  const wanted = new Set(stages.map((stage) => stage.toLowerCase()));
  const latest = latestOfStages(versions).filter(
    ({ current_stage }) => wanted.size === 0 || wanted.has(current_stage.toLowerCase()),
  );
  return { json: { model_versions: list(latest.map((each) => versionAnswer(each, sourceOf(each)))) } };
};

const aliasSchema = z.object({ name: z.string(), alias: z.string() });

export const getVersionByAlias: Handler = async (context, asked) => {
  const { name, alias } = parsed(aliasSchema, asked);
  const { versions, sourceOf } = await registeredModelOf(context, name);
  const found = versions.find(({ aliases }) => aliases.includes(alias));
  if (found === undefined) throw absent(`Registered model alias ${alias}`);
  return { json: { model_version: versionAnswer(found, sourceOf(found)) } };
};

async function versionOf(context: Context, { name, version }: z.infer<typeof versionSchema>) {
  const registry = await registryOf(context);
  const found = await registry.version(`${name}/${version}`);
  if (found === undefined) throw absent(`Model Version (name=${name}, version=${version})`);
  return { found, source: registry.sourceOf(found) };
}

export const getVersion: Handler = async (context, asked) => {
  const { found, source } = await versionOf(context, parsed(versionSchema, asked));
  return { json: { model_version: versionAnswer(found, source) } };
};

/** Where a version's files are: its own, where they are in no root that the place holds. */
export const getDownloadUri: Handler = async (context, asked) => {
  const { name, version } = parsed(versionSchema, asked);
  const { found, source } = await versionOf(context, { name, version });
  const isReachable = isPrompt(found) || /^(?:runs|models|mlflow-artifacts):/.test(source);
  return { json: { artifact_uri: isReachable && source !== found.source ? source : await uriOf() } };

  async function uriOf(): Promise<string> {
    if (/^(?:runs|models):/.test(source) || isPrompt(found)) return source;
    const reader = await context.place.objectReader(VERSION.kind, `${name}/${version}`);
    for await (const _ of reader?.artifacts() ?? []) return rootOfVersion(name, version);
    return source;
  }
};

const searchModelsSchema = z.object({ ...searchFields, max_results: count(100, 1000) });

/** Prompts are found only by those that ask for them. */
const withoutPrompts = (filter: string) => ({
  isWanted: (record: object) =>
    filter.includes(PROMPT_TAG) || !('tags' in record) || !isPrompt({ tags: tagsSchema.parse(record.tags) }),
  adapt: asMlflowAsks,
});
const tagsSchema = modelVersion.shape.tags;

/** MLflow takes the tag that makes a prompt for not `true` where it is missing (mlflow/store/model_registry/sqlalchemy_store.py). */
function asMlflowAsks(expression: Expression): Expression {
  if (expression.type === 'not') return { ...expression, term: asMlflowAsks(expression.term) };
  if (expression.type !== 'comparison') return { ...expression, terms: expression.terms.map(asMlflowAsks) };
  const { subject, operator } = expression;
  if (subject.entity !== 'tag' || subject.key !== PROMPT_TAG) return expression;
  const asksForModels = operator === '!=' || (operator === '=' && expression.value === 'false');
  return asksForModels ? { type: 'not', term: { ...expression, operator: '=', value: 'true' } } : expression;
}

export const searchRegisteredModels: Handler = async (context, asked) => {
  const { max_results, page_token, ...wanted } = parsed(searchModelsSchema, asked);
  const { place, found } = context;
  const ids = await searchObjects(place, found, MODEL, wanted, ['name ASC'], withoutPrompts(wanted.filter));
  const { items, next_page_token } = pageOf(ids, max_results, page_token);
  const registered_models: unknown[] = [];
  for (const name of items) {
    const { model, versions, sourceOf } = await registeredModelOf(context, name);
    registered_models.push(registeredModelAnswer(model, versions, sourceOf));
  }
  return { json: { registered_models: list(registered_models), next_page_token } };
};

const searchVersionsSchema = z.object({ ...searchFields, max_results: count(10_000, 200_000) });
const USUAL_VERSIONS = ['last_updated_timestamp DESC', 'name ASC', 'version_number DESC'];

export const searchVersions: Handler = async (context, asked) => {
  const { max_results, page_token, ...wanted } = parsed(searchVersionsSchema, asked);
  const { place, found } = context;
  const ids = await searchObjects(
    place,
    found,
    VERSION.kind,
    wanted,
    USUAL_VERSIONS,
    withoutPrompts(wanted.filter),
  );
  const { items, next_page_token } = pageOf(ids, max_results, page_token);
  const registry = await registryOf(context);
  const model_versions: unknown[] = [];
  for (const id of items) {
    const version = await registry.version(id);
    if (version !== undefined) model_versions.push(versionAnswer(version, registry.sourceOf(version)));
  }
  return { json: { model_versions: list(model_versions), next_page_token } };
};
