import { CREATION_TIME_TAG, DIGEST_TAG, ORIGIN_TAG, originId } from '../../../model/canonical.ts';
import type { ModelVersion, RegisteredModel } from '../../../model/registered-model.ts';
import { ownValue } from '../../../model/string-map.ts';
import type { ObjectTarget } from '../../objects.ts';
import { GAP_TAG } from './fit-registry.ts';
import type { TargetContext } from './target-context.ts';

/** A registered model of the target during a pass. */
export interface NameState {
  /** `undefined`: there is none of this name. */
  readonly model: RegisteredModel | undefined;
  /** Versions that are there, by number. */
  readonly versions: Map<number, ModelVersion>;
  /** Alias → version. */
  readonly aliases: Map<string, string>;
  /** The number that the server gives to the next version; `undefined` while only a lower bound is known. */
  next: number | undefined;
}

/**
 * The registry of the target, by name: scanned once, page by page, when it is first asked for. What an earlier pass that was
 * cut off has left of a name is removed when that is asked for.
 */
export function registryState({ routes }: TargetContext): (name: string) => Promise<NameState> {
  const states = new Map<string, Promise<NameState>>();
  let scanned: Promise<Map<string, NameState>> | undefined;

  async function scan(): Promise<Map<string, NameState>> {
    const found = new Map<string, NameState>();
    for await (const { model, aliases } of routes.registeredModels())
      found.set(model.name, { model, versions: new Map(), aliases: new Map(aliases), next: undefined });
    for await (const version of routes.allModelVersions())
      found.get(version.name)?.versions.set(Number(version.version), version);
    return found;
  }

  async function load(name: string): Promise<NameState> {
    scanned ??= scan();
    const state = (await scanned).get(name);
    if (state === undefined) return { model: undefined, versions: new Map(), aliases: new Map(), next: 1 };
    for (const [number, version] of state.versions) {
      if (!isLeftover(version)) continue;
      await routes.deleteModelVersion(version);
      state.versions.delete(number);
    }
    return state;
  }

  return (name) => {
    const state = states.get(name) ?? load(name);
    states.set(name, state);
    return state;
  };
}

/** What a pass that was cut off has left: a filler, or a version that got another number than its source's. */
function isLeftover({ name, version, tags }: ModelVersion): boolean {
  if (ownValue(tags, GAP_TAG) !== undefined) return true;
  const origin = ownValue(tags, ORIGIN_TAG);
  if (origin === undefined || ownValue(tags, DIGEST_TAG) !== undefined) return false;
  const id = originId(origin);
  return id.startsWith(`${name}/`) && id !== `${name}/${version}`;
}

/** mlferry's own tags of a copy, without the one that says that it is complete. */
export function marks(record: RegisteredModel | ModelVersion, { origin }: ObjectTarget): [string, string][] {
  return [
    [ORIGIN_TAG, origin],
    [CREATION_TIME_TAG, String(record.creation_timestamp)],
  ];
}
