import { ORIGIN_TAG } from '../../../model/canonical.ts';
import type { ModelVersion } from '../../../model/registered-model.ts';
import { ownValue } from '../../../model/string-map.ts';
import { MlferryError } from '../../../util/errors.ts';
import type { ObjectTarget } from '../../objects.ts';
import { createOnce } from './create-once.ts';
import { GAP_TAG } from './fit-registry.ts';
import { marks, type NameState } from './registry-state.ts';
import type { TargetContext } from './target-context.ts';
import type { NewVersion } from './target-routes.ts';

/** The failure of a version whose number the target has for something else. */
export function taken({ name, version }: ModelVersion, reason: string): MlferryError {
  const message = `Version ${version} of registered model ${JSON.stringify(name)} cannot be written: ${reason}`;
  return new MlferryError('REFUSED', message, {
    hint: `Copy it under another name with --rename-model ${JSON.stringify(`${name}=other name`)}, or delete the one on the target.`,
  });
}

/**
 * Creates the version of a number: a server counts by itself, so versions that are deleted at once take the place of those
 * that the source no longer has. Where it is not known which number comes next (versions of a name that was there before
 * may be deleted, and are hidden then), the version itself is what is made, until it has its number. Throws REFUSED when
 * the number is given away already.
 */
export async function createVersion(
  context: TargetContext,
  state: NameState,
  wanted: ModelVersion,
  target: ObjectTarget,
): Promise<ModelVersion> {
  const { routes } = context;
  const number = Number(wanted.version);
  if (!routes.changes) return { ...wanted, tags: {} };
  while (state.next !== undefined && state.next < number) await fillGap(context, state, wanted, number);
  const least =
    state.next ?? [...state.versions.keys()].reduce((most, version) => Math.max(most, version), 0) + 1;
  if (least > number) throw taken(wanted, `the target has given this number away, its next one is ${least}`);
  const created = await createOneVersion(context, newVersion(wanted, target));
  state.next = Number(created.version) + 1;
  if (created.version === wanted.version) return created;
  await routes.deleteModelVersion(created);
  if (Number(created.version) < number) return createVersion(context, state, wanted, target);
  throw taken(wanted, `the target gave it the number ${created.version}`);
}

/** The logged model that newest servers want named beside a source in it, and do not tell of a version. */
export function modelOf({ model_id, source }: ModelVersion): string | undefined {
  return model_id ?? /^models:\/+(m-[\w-]+)/.exec(source)?.[1];
}

function newVersion(wanted: ModelVersion, target: ObjectTarget): NewVersion {
  const { name, source, run_id, run_link, description, tags } = wanted;
  const model_id = modelOf(wanted);
  return {
    name,
    source,
    ...(run_id === undefined ? {} : { run_id }),
    ...(run_link === undefined ? {} : { run_link }),
    ...(model_id === undefined ? {} : { model_id }),
    ...(description === undefined ? {} : { description }),
    tags: Object.fromEntries([...Object.entries(tags), ...marks(wanted, target)]),
  };
}

/** Newest servers take a source on their own proxy only below a run or model. Nothing is ever asked for there. */
export const GAP_SOURCE = 's3://mlferry/gap';

/** Takes one number away. */
async function fillGap(
  context: TargetContext,
  state: NameState,
  { name }: ModelVersion,
  wanted: number,
): Promise<void> {
  const filler = await createOneVersion(context, {
    name,
    source: GAP_SOURCE,
    tags: { [GAP_TAG]: `keeps a number free below ${wanted}` },
  });
  await context.routes.deleteModelVersion(filler);
  state.next = Number(filler.version) + 1;
}

/** Creates a version; one whose answer was lost is found by its tags. */
async function createOneVersion(context: TargetContext, wanted: NewVersion): Promise<ModelVersion> {
  const { routes } = context;
  const key = Object.hasOwn(wanted.tags, ORIGIN_TAG) ? ORIGIN_TAG : GAP_TAG;
  return createOnce(
    () => routes.createModelVersion(wanted),
    async () =>
      (await routes.modelVersions(wanted.name)).find(
        ({ tags }) => ownValue(tags, key) !== undefined && ownValue(tags, key) === ownValue(wanted.tags, key),
      ),
    context,
  );
}
