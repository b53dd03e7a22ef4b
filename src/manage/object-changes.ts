import { z } from 'zod';
import { MODEL } from '../kinds/model-links.ts';
import { isPrompt, REGISTERED_MODEL, VERSION } from '../kinds/model-registry.ts';
import { REMADE_TAG } from '../model/canonical.ts';
import type { LoggedModel } from '../model/logged-model.ts';
import type { ModelVersion, RegisteredModel } from '../model/registered-model.ts';
import { mapOf, ownValue, type StringMap } from '../model/string-map.ts';
import type { KeptObject, ObjectKey } from '../places/model-manager.ts';
import { hasTags, tagsBefore } from './tag-state.ts';

/** What a command may change of a registered model, a version or a logged model; absent = left as it is. `null` = not there. */
export const objectState = z.strictObject({
  deleted: z.boolean().optional(),
  tags: mapOf(z.string().nullable()).optional(),
  /** Of a registered model: which version an alias is of. */
  aliases: mapOf(z.string().nullable()).optional(),
  /** Of a version. */
  current_stage: z.string().optional(),
});
export type ObjectState = z.infer<typeof objectState>;

/** A registered model, a version or a logged model that is there. */
export interface PresentObject extends ObjectKey {
  /** Its name, for people. */
  readonly name: string;
  /** It is a prompt, or a version of one. */
  readonly is_prompt: boolean;
  readonly record: RegisteredModel | ModelVersion | LoggedModel;
  /** Of a registered model: alias → version. */
  readonly aliases: StringMap;
  /** Of a registered model, by number. */
  readonly versions: readonly ModelVersion[];
}

/** One object, as it is and as it is to be. */
export interface ObjectChange extends ObjectKey {
  readonly name: string;
  readonly is_prompt: boolean;
  readonly before: ObjectState;
  readonly after: ObjectState;
  /** Of a deletion, or of what undoes one: all that it takes to make the object again. */
  readonly kept?: KeptObject;
  /** Ids of the same kind that are changed before it: it stays as it is when one of them failed. */
  readonly follows?: readonly string[];
  /** Nothing undoes this change. */
  readonly final: boolean;
}

/** Which object a key names, as one text. */
export const keyText = ({ kind, id }: ObjectKey) => `${kind} ${id}`;

/** A registered model with its versions. */
export function presentModel(record: RegisteredModel, versions: readonly ModelVersion[]): PresentObject {
  const own = versions.toSorted((a, b) => Number(a.version) - Number(b.version));
  const aliases = own.flatMap(({ version, aliases: of }) => of.map((alias) => [alias, version] as const));
  const { name } = record;
  return {
    kind: REGISTERED_MODEL.kind,
    id: name,
    name,
    is_prompt: isPrompt(record),
    record,
    aliases: Object.fromEntries(aliases),
    versions: own,
  };
}

const NOTHING_BELOW = { aliases: {}, versions: [] } as const;

/** The versions of a registered model that fit, each by itself. */
export function presentVersions(
  model: PresentObject | undefined,
  fits: (version: ModelVersion) => boolean = () => true,
): readonly PresentObject[] {
  return (model?.versions ?? [])
    .filter(fits)
    .map((version) => presentVersion(version, model?.is_prompt === true));
}

function presentVersion(record: ModelVersion, is_prompt: boolean): PresentObject {
  const id = `${record.name}/${record.version}`;
  return { kind: VERSION.kind, id, name: id, is_prompt, record, ...NOTHING_BELOW };
}

/** A logged model. */
export function presentLoggedModel(record: LoggedModel): PresentObject {
  const { model_id: id, experiment_id, name } = record;
  return { kind: MODEL, id, experiment_id, name, is_prompt: false, record, ...NOTHING_BELOW };
}

/** The change of an object that is there. */
export function changeOf(
  { kind, id, experiment_id, name, is_prompt }: PresentObject,
  before: ObjectState,
  after: ObjectState,
): ObjectChange {
  const key = { kind, id, ...(experiment_id === undefined ? {} : { experiment_id }) };
  return { ...key, name, is_prompt, before, after, final: false };
}

/**
 * Whether an object is in this state. Of one that was deleted and is there again: whether it lacks nothing of what is kept, and with
 * `exactly` whether all of that is as it was.
 */
export function isObjectInState(
  present: PresentObject | undefined,
  { deleted = false, tags = {}, aliases = {}, current_stage }: ObjectState,
  kept?: KeptObject,
  exactly = false,
): boolean {
  if (deleted || present === undefined) return deleted && present === undefined;
  return (
    hasTags(present.record.tags, tags) &&
    hasTags(present.aliases, aliases) &&
    (current_stage === undefined || stageOf(present) === current_stage) &&
    (kept === undefined || isWhole(present, kept, exactly))
  );
}

/** The stage of a version. */
export function stageOf({ record }: PresentObject): string | undefined {
  return 'current_stage' in record ? record.current_stage : undefined;
}

const keptFields = z.object({
  tags: mapOf(z.string()),
  current_stage: z.string().optional(),
  aliases: z.array(z.string()).optional(),
});
type KeptFields = z.infer<typeof keptFields>;

/** Whether an object, with its versions, has what is kept of it. */
function isWhole(present: PresentObject, { record, versions }: KeptObject, exactly: boolean): boolean {
  const wanted = keptFields.safeParse(record).data;
  const now = new Map(present.versions.map((version) => [version.version, version]));
  return (
    (wanted === undefined || has(present.record, wanted, exactly)) &&
    versions.every((version) => {
      const found = now.get(version.version);
      const own = version.aliases.every((alias) => {
        const holder = ownValue(present.aliases, alias);
        return exactly ? holder === version.version : holder !== undefined;
      });
      return own && found !== undefined && has(found, { ...version, aliases: [] }, exactly);
    })
  );
}

function has(found: PresentObject['record'], wanted: KeptFields, exactly: boolean): boolean {
  const { tags, current_stage, aliases = [] } = wanted;
  const own = 'aliases' in found ? found.aliases : [];
  if (ownValue(found.tags, REMADE_TAG) !== undefined || !aliases.every((alias) => own.includes(alias)))
    return false;
  if (!exactly) return Object.keys(tags).every((key) => ownValue(found.tags, key) !== undefined);
  const stage = 'current_stage' in found ? found.current_stage : undefined;
  return hasTags(found.tags, tags) && stage === current_stage;
}

/** The present state of what is going to be changed, in the fields of `wanted`. */
export function objectStateOf(
  present: PresentObject | undefined,
  { deleted, tags, aliases, current_stage }: ObjectState,
): ObjectState {
  if (present === undefined || deleted !== undefined) return { deleted: present === undefined };
  const stage = stageOf(present);
  return {
    ...(tags === undefined ? {} : { tags: tagsBefore(present.record.tags, Object.keys(tags)) }),
    ...(aliases === undefined ? {} : { aliases: tagsBefore(present.aliases, Object.keys(aliases)) }),
    ...(current_stage === undefined || stage === undefined ? {} : { current_stage: stage }),
  };
}
