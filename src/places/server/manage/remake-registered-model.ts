import { hasSameSource, madeOf } from '../../../kinds/model-registry.ts';
import { REMADE_TAG } from '../../../model/canonical.ts';
import { MODEL_STAGES } from '../../../model/mlflow/model-stages.ts';
import { type ModelVersion, registeredModel } from '../../../model/registered-model.ts';
import { ownValue, type StringMap } from '../../../model/string-map.ts';
import { MlferryError } from '../../../util/errors.ts';
import type { KeptObject } from '../../model-manager.ts';
import { createOnce, type Patience } from '../write/create-once.ts';
import { GAP_SOURCE, modelOf } from '../write/number-versions.ts';
import type { TargetRoutes } from '../write/target-routes.ts';
import { listVersionsOfModels } from './list-versions-of-models.ts';

/** What making a registered model again needs. */
interface RemakeContext extends Patience {
  readonly routes: TargetRoutes;
}

/**
 * Makes a registered model again that was deleted, with the numbers of its versions, or completes what an interrupted attempt
 * has left. A server counts versions by itself: between them some are made and deleted at once. Throws REFUSED where the
 * server has a registered model of this name with other versions.
 */
export async function remakeRegisteredModel(
  context: RemakeContext,
  { record, versions }: KeptObject,
): Promise<void> {
  const { routes } = context;
  const { name, description, tags } = registeredModel.parse(record);
  const present = await routes.registeredModel(name);
  if (present === undefined) {
    const create = { name, ...(description === undefined ? {} : { description }), tags };
    await createOnce(
      () => routes.createRegisteredModel(create),
      () => routes.registeredModel(name),
      context,
    );
  } else {
    if ((present.description ?? '') !== (description ?? ''))
      await routes.describeRegisteredModel(name, description ?? '');
    for (const [key, value] of Object.entries(missing(tags, present.tags)))
      await routes.setRegisteredModelTag(name, key, value);
  }
  // Only of a name that was not there is it known which number comes next.
  let next = present === undefined ? 1 : undefined;
  const there = await withoutLeftovers(routes, name);
  for (const wanted of versions) {
    const number = Number(wanted.version);
    let found = there.get(number);
    while (found === undefined) {
      const isFiller = next !== undefined && next < number;
      const made = await createVersion(context, wanted, isFiller);
      const given = Number(made.version);
      next = next === undefined ? undefined : given + 1;
      if (given === number && !isFiller) found = made;
      else await routes.deleteModelVersion(made);
      if (found === undefined && given >= number) throw taken(wanted);
    }
    await complete(routes, wanted, found);
  }
  await setAliases(routes, name, versions);
  await listVersionsOfModels(routes, new Set(versions.flatMap((version) => madeOf(version).models)));
}

/** The versions that are there, by number, without those of an attempt that was cut off. */
async function withoutLeftovers(routes: TargetRoutes, name: string): Promise<Map<number, ModelVersion>> {
  const there = new Map<number, ModelVersion>();
  for (const version of await routes.modelVersions(name)) {
    const mark = ownValue(version.tags, REMADE_TAG);
    if (mark === undefined || mark === version.version) there.set(Number(version.version), version);
    else await routes.deleteModelVersion(version);
  }
  return there;
}

function taken({ name, version }: ModelVersion): MlferryError {
  return new MlferryError(
    'REFUSED',
    `Version ${version} of registered model ${JSON.stringify(name)} cannot be made again: the server has given its number away`,
  );
}

/** Creates the version, or one that only takes a number away; one whose answer was lost is found by its tag. */
function createVersion(
  context: RemakeContext,
  wanted: ModelVersion,
  isFiller: boolean,
): Promise<ModelVersion> {
  const { name, source, run_id, run_link, description, tags } = wanted;
  const mark = isFiller ? '' : wanted.version;
  const optional = { run_id, run_link, model_id: modelOf(wanted), description };
  const version = isFiller
    ? { name, source: GAP_SOURCE, tags: { [REMADE_TAG]: mark } }
    : {
        name,
        source,
        ...Object.fromEntries(Object.entries(optional).filter(([, value]) => value !== undefined)),
        tags: Object.fromEntries([...Object.entries(tags), [REMADE_TAG, mark]]),
      };
  return createOnce(
    () => context.routes.createModelVersion(version),
    async () =>
      (await context.routes.modelVersions(name)).find((found) => ownValue(found.tags, REMADE_TAG) === mark),
    context,
  );
}

/** Brings a version to what it was; the mark goes last. Throws REFUSED for one that is another. */
async function complete(routes: TargetRoutes, wanted: ModelVersion, found: ModelVersion): Promise<void> {
  if (!hasSameSource(wanted, found)) throw taken(wanted);
  if (ownValue(found.tags, REMADE_TAG) === undefined) return;
  if ((wanted.description ?? '') !== (found.description ?? ''))
    await routes.describeModelVersion(wanted, wanted.description ?? '');
  const stage = MODEL_STAGES.find((known) => known.toLowerCase() === wanted.current_stage.toLowerCase());
  if (stage !== undefined && stage !== found.current_stage)
    await routes.transitionModelVersion(wanted, stage);
  for (const [key, value] of Object.entries(missing(wanted.tags, found.tags)))
    await routes.setModelVersionTag(wanted, key, value);
  await routes.deleteModelVersionTag(wanted, REMADE_TAG);
}

async function setAliases(
  routes: TargetRoutes,
  name: string,
  versions: readonly ModelVersion[],
): Promise<void> {
  const there = await routes.aliasesOf(name);
  for (const { version, aliases } of versions)
    for (const alias of aliases)
      if (there.get(alias) !== version) await routes.setAlias(name, alias, version);
}

/** The tags that differ from those that are there. */
function missing(wanted: StringMap, present: StringMap): Record<string, string> {
  return Object.fromEntries(
    Object.entries(wanted).filter(([key, value]) => ownValue(present, key) !== value),
  );
}
