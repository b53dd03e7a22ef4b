import { DIGEST_TAG, ORIGIN_TAG } from '../../../model/canonical.ts';
import type { FoundObject } from '../../../model/findings.ts';
import type { RegisteredModel } from '../../../model/registered-model.ts';
import { ownValue } from '../../../model/string-map.ts';
import { MlferryError } from '../../../util/errors.ts';
import type { ObjectTarget, WrittenObject } from '../../objects.ts';
import { createOnce } from './create-once.ts';
import { marks } from './registry-state.ts';
import type { TargetContext } from './target-context.ts';

/** Makes a registered model and reads it back. Throws MISMATCH. */
export async function createModel(
  { routes, ...patience }: TargetContext,
  wanted: RegisteredModel,
  target: ObjectTarget,
): Promise<void> {
  const { name, description, tags } = wanted;
  await createOnce(
    () =>
      routes.createRegisteredModel({
        name,
        ...(description === undefined ? {} : { description }),
        tags: Object.fromEntries([
          ...Object.entries(tags),
          ...marks(wanted, target),
          [DIGEST_TAG, target.digest],
        ]),
      }),
    async () => {
      const found = await routes.registeredModel(name);
      return found !== undefined && ownValue(found.tags, ORIGIN_TAG) === target.origin ? found : undefined;
    },
    patience,
  );
  mustBe(wanted, await routes.registeredModel(name));
}

function mustBe(wanted: RegisteredModel, found: RegisteredModel | undefined): void {
  const tag = Object.entries(wanted.tags).find(
    ([key, value]) => ownValue(found?.tags ?? {}, key) !== value,
  )?.[0];
  const differs = found?.description !== wanted.description ? 'description' : tag;
  if (found !== undefined && differs === undefined) return;
  const what = found === undefined ? 'is not there' : `differs in ${differs}`;
  const message = `Registered model ${JSON.stringify(wanted.name)} was accepted, but ${what}`;
  throw new MlferryError('MISMATCH', message);
}

/** A registered model that is there: a copy of this one is brought up to date, any other is left as it is. */
export async function updateModel(
  { routes, findings }: TargetContext,
  of: FoundObject,
  wanted: RegisteredModel,
  present: RegisteredModel,
  target: ObjectTarget,
): Promise<WrittenObject> {
  const done = { id: wanted.name, artifacts: 0, bytes: 0 };
  const isOurs = ownValue(present.tags, ORIGIN_TAG) === target.origin;
  if (isOurs && ownValue(present.tags, DIGEST_TAG) === target.digest)
    return { ...done, outcome: 'unchanged' };
  const tags = Object.entries(wanted.tags).filter(([key, value]) => ownValue(present.tags, key) !== value);
  const described = (wanted.description ?? '') !== (present.description ?? '');
  if (!isOurs) {
    for (const key of [...(described ? ['description'] : []), ...tags.map(([tag]) => tag)]) {
      const detail = 'the target has a registered model of this name, which keeps its own';
      findings.loss({ code: 'VALUE_CONFLICT', of, key, detail });
    }
    return { ...done, outcome: 'unchanged' };
  }
  if (described) await routes.describeRegisteredModel(wanted.name, wanted.description ?? '');
  for (const [key, value] of [...tags, [DIGEST_TAG, target.digest] as const])
    await routes.setRegisteredModelTag(wanted.name, key, value);
  if (routes.changes) mustBe(wanted, await routes.registeredModel(wanted.name));
  return { ...done, outcome: 'updated' };
}
