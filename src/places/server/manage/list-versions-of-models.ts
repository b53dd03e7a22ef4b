import { z } from 'zod';
import { madeOf } from '../../../kinds/model-registry.ts';
import { MODEL_VERSIONS_TAG } from '../../../model/mlflow/tags.ts';
import { ownValue } from '../../../model/string-map.ts';
import { MlferryError } from '../../../util/errors.ts';
import type { TargetRoutes } from '../write/target-routes.ts';

const listed = z.array(z.looseObject({ name: z.string(), version: z.union([z.string(), z.int()]) }));
type Listed = z.infer<typeof listed>;

/**
 * Mends the tag in which a server lists the versions that were made of a logged model: it takes none out that is deleted, and one
 * that is made again takes the place of all others (mlflow/store/tracking/abstract_store.py of 3.17). Afterwards each version that is
 * there is listed once.
 */
export async function listVersionsOfModels(
  routes: TargetRoutes,
  model_ids: ReadonlySet<string>,
): Promise<void> {
  if (model_ids.size === 0) return;
  const made = new Map<string, Listed>();
  for await (const version of routes.allModelVersions())
    for (const id of madeOf(version).models)
      if (model_ids.has(id))
        made.set(id, [...(made.get(id) ?? []), { name: version.name, version: version.version }]);
  for (const [id, versions] of made) {
    const tag = await tagOf(routes, id);
    if (tag === undefined) continue;
    const isNumber = tag.some(({ version }) => typeof version === 'number');
    const each = new Map([
      ...tag.map((entry) => [keyOf(entry), entry] as const),
      ...versions.map(
        (entry) => [keyOf(entry), isNumber ? { ...entry, version: Number(entry.version) } : entry] as const,
      ),
    ]);
    if (each.size !== tag.length)
      await routes.setModelTags(id, { [MODEL_VERSIONS_TAG]: JSON.stringify([...each.values()]) });
  }
}

const keyOf = ({ name, version }: Listed[number]) => `${name}/${version}`;

/** What the tag lists; `undefined` where there is no such tag, or no such model any more. */
async function tagOf(routes: TargetRoutes, model_id: string): Promise<Listed | undefined> {
  try {
    const text = ownValue((await routes.getModel(model_id)).tags, MODEL_VERSIONS_TAG);
    return text === undefined ? undefined : listed.safeParse(JSON.parse(text)).data;
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    if (error instanceof MlferryError && ['NOT_FOUND', 'UNSUPPORTED'].includes(error.code)) return undefined;
    throw error;
  }
}
