import type { ObjectRecord } from '../../kinds/kind.ts';
import { MODEL } from '../../kinds/model-links.ts';
import { madeOf, REGISTERED_MODEL, VERSION } from '../../kinds/model-registry.ts';
import type { Findings } from '../../model/findings.ts';
import { type ModelVersion, modelVersion } from '../../model/registered-model.ts';
import { ALL_ACTIVE } from '../../model/selection.ts';
import { MlferryError } from '../../util/errors.ts';
import type { ObjectScope } from '../objects.ts';
import type { Reader } from '../place.ts';
import { matchRegistered, whyNothing } from './registered-pattern.ts';

/** What registered models lead to: ids of what is chosen by kind, the runs that it was made by, and those of all versions. */
export interface RegisteredChoice {
  readonly objects: ReadonlyMap<string, ReadonlySet<string>>;
  readonly runs: ReadonlySet<string>;
}

/** The whole registry of a place, without a look at files. */
export const WHOLE_REGISTRY: ObjectScope = {
  selection: { ...ALL_ACTIVE, view: 'all' },
  experiments: [],
  isChosen: () => true,
  isHeld: () => true,
};

async function* recordsOf({ objects }: Pick<Reader, 'objects'>, kind: string): AsyncGenerator<ObjectRecord> {
  for await (const { record } of objects?.get(kind)?.read(WHOLE_REGISTRY) ?? []) yield record;
}

/** The runs that a version of a registered model was made by. */
export async function runsWithVersions(reader: Pick<Reader, 'objects'>): Promise<ReadonlySet<string>> {
  const runs = new Set<string>();
  for await (const record of recordsOf(reader, VERSION.kind))
    for (const id of madeOf(modelVersion.parse(record)).runs) runs.add(id);
  return runs;
}

/**
 * What patterns choose of a registry: `NAME`, `NAME@alias`, `NAME/3`, `NAME/latest`, each name a glob. What fits nothing is a
 * failure with the nearest name.
 */
export async function chooseRegistered(
  reader: Pick<Reader, 'objects'>,
  patterns: readonly string[],
  findings: Findings,
): Promise<RegisteredChoice> {
  const byName = new Map<string, ModelVersion[]>();
  for await (const { name } of recordsOf(reader, REGISTERED_MODEL.kind)) byName.set(String(name), []);
  for await (const record of recordsOf(reader, VERSION.kind)) {
    const version = modelVersion.parse(record);
    byName.get(version.name)?.push(version);
  }
  const names = new Set<string>();
  const versions = new Map<string, ModelVersion>();
  const take = (version: ModelVersion) => {
    const id = `${version.name}/${version.version}`;
    if (versions.has(id)) return;
    names.add(version.name);
    versions.set(id, version);
    const { version: other } = madeOf(version);
    const parent = other === undefined ? undefined : byName.get(other.name);
    for (const found of parent ?? []) if (found.version === other?.version) take(found);
  };
  for (const pattern of new Set(patterns)) {
    const { wanted, found } = matchRegistered(pattern, byName.keys());
    let fits = false;
    for (const name of found) {
      const own = byName.get(name) ?? [];
      const chosen = wanted === undefined ? own : own.filter((version) => wanted(version, own));
      for (const version of chosen) take(version);
      if (chosen.length === 0 && wanted !== undefined) continue;
      names.add(name);
      fits = true;
    }
    if (!fits) tellMissing(pattern, whyNothing(pattern, found, byName.keys()), findings);
  }
  const made = [...versions.values()].map(madeOf);
  return {
    objects: new Map([
      [REGISTERED_MODEL.kind, names],
      [VERSION.kind, new Set(versions.keys())],
      [MODEL, new Set(made.flatMap(({ models }) => models))],
    ]),
    runs: new Set(made.flatMap(({ runs }) => runs)),
  };
}

/** A pattern of registered models that chooses nothing is a failure. */
export function tellMissing(pattern: string, message: string, findings: Findings): void {
  const { code, hint } = new MlferryError('NOT_FOUND', message);
  findings.failure({ code, object: `registered model ${JSON.stringify(pattern)}`, message, hint });
}
