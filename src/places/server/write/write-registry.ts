import { createHash } from 'node:crypto';
import { CREATION_TIME_TAG, DIGEST_TAG, ORIGIN_TAG, originId } from '../../../model/canonical.ts';
import type { FoundObject } from '../../../model/findings.ts';
import type { RunLoss } from '../../../model/fit-run.ts';
import {
  MODEL_STAGES,
  type ModelVersion,
  modelVersion,
  type RegisteredModel,
  registeredModel,
} from '../../../model/registered-model.ts';
import { ownValue } from '../../../model/string-map.ts';
import { MlferryError } from '../../../util/errors.ts';
import type { ObjectReader, ObjectTarget, ObjectWriter, WrittenObject } from '../../place.ts';
import { versionOwner } from '../connect/owner.ts';
import { createOnce } from './create-once.ts';
import { fitVersion, GAP_TAG, OWN_FILES, representVersion } from './fit-registry.ts';
import { artifactLosses } from './run-losses.ts';
import { sendArtifacts } from './send-artifacts.ts';
import type { TargetContext } from './target-context.ts';
import type { NewVersion } from './target-routes.ts';

/** Writes registered models and their versions to a server. */
export interface RegistryWriter {
  readonly models: ObjectWriter;
  readonly versions: ObjectWriter;
  /** Reports what could not be kept of all of them. */
  finish(): void;
}

/** A registered model of the target during a pass. */
interface NameState {
  /** Versions that are there, by number. */
  readonly versions: Map<number, ModelVersion>;
  /** The number that the server gives to the next version; `undefined` while only a lower bound is known. */
  next: number | undefined;
}

/** See {@link RegistryWriter}. */
export function registryWriter(context: TargetContext): RegistryWriter {
  const { routes, findings } = context;
  const names = new Map<string, Promise<NameState>>();
  let created = 0;

  const stateOf = (name: string) => {
    const state = names.get(name) ?? loadState(name);
    names.set(name, state);
    return state;
  };

  async function loadState(name: string): Promise<NameState> {
    const versions = new Map<number, ModelVersion>();
    const aliases = await routes.aliasesOf(name);
    for (const version of await routes.modelVersions(name)) {
      const own = [...aliases].filter(([, number]) => number === version.version).map(([alias]) => alias);
      if (isLeftover(version)) await routes.deleteModelVersion(version);
      else versions.set(Number(version.version), { ...version, aliases: own.sort() });
    }
    return { versions, next: undefined };
  }

  return {
    async models(source, target) {
      const wanted = registeredModel.parse(target.remap({ id: originId(target.origin) }));
      const of = { kind: source.of.kind, id: originId(target.origin), name: wanted.name };
      const found = await routes.registeredModel(wanted.name);
      if (found !== undefined) return updateModel(context, of, wanted, found, target);
      created += 1;
      names.set(wanted.name, Promise.resolve({ versions: new Map(), next: 1 }));
      if (routes.changes) await createModel(context, wanted, target);
      return { id: wanted.name, outcome: 'created', artifacts: 0, bytes: 0 };
    },
    async versions(source, target) {
      const id = originId(target.origin);
      const whole = modelVersion.parse(target.remap({ id }));
      const state = await stateOf(whole.name);
      const present = state.versions.get(Number(whole.version));
      const isOurs = present !== undefined && ownValue(present.tags, ORIGIN_TAG) === target.origin;
      if (present !== undefined && !isOurs) {
        if (isEqual(whole, present)) return { id, outcome: 'unchanged', artifacts: 0, bytes: 0 };
        throw taken(whole, 'the target has another version of this number');
      }
      if (present !== undefined && ownValue(present.tags, DIGEST_TAG) === target.digest)
        return { id, outcome: 'unchanged', artifacts: 0, bytes: 0 };
      const losses: RunLoss[] = [];
      const sent = { points: 0, artifacts: 0, bytes: 0 };
      const located = await placeSource(context, source, whole, losses, sent);
      const { version: wanted, losses: unfit } = fitVersion(located);
      losses.push(...unfit);
      const there = present ?? (await createVersion(context, state, wanted, target));
      if (present === undefined) created += 1;
      await completeVersion(context, wanted, there, target, losses);
      if (routes.changes) {
        const now = await routes.modelVersion(wanted.name, wanted.version);
        mustBe(wanted, now);
        state.versions.set(Number(wanted.version), { ...now, aliases: wanted.aliases });
      }
      const of: FoundObject = { kind: source.of.kind, id, name: wanted.name };
      for (const loss of losses) findings.loss({ ...loss, of });
      return { id, outcome: present === undefined ? 'created' : 'updated', ...sent };
    },
    finish() {
      if (created === 0) return;
      findings.loss({
        code: 'MODEL_TIMES',
        key: 'registry',
        count: created,
        detail: `a server sets times and users of registered models and versions itself: when the source’s were created stands in their tag ${CREATION_TIME_TAG}`,
      });
    },
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

function marks(record: RegisteredModel | ModelVersion, { origin }: ObjectTarget): [string, string][] {
  return [
    [ORIGIN_TAG, origin],
    [CREATION_TIME_TAG, String(record.creation_timestamp)],
  ];
}

async function createModel(
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
    () => routes.registeredModel(name),
    patience,
  );
}

/** A registered model that is there: a copy of this one is brought up to date, any other is left as it is. */
async function updateModel(
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
  const described = wanted.description !== undefined && wanted.description !== present.description;
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
  return { ...done, outcome: 'updated' };
}

/** Whether a version that somebody else made is the source's very version. */
function isEqual(wanted: ModelVersion, present: ModelVersion): boolean {
  const { record } = representVersion(wanted, present);
  const text = ({ name, version, description, current_stage, source, run_id, tags, aliases }: ModelVersion) =>
    JSON.stringify([
      name,
      version,
      description,
      current_stage,
      source,
      run_id,
      Object.entries(tags).sort(),
      aliases,
    ]);
  return text(record) === text(fitVersion(present).version);
}

function taken({ name, version }: ModelVersion, reason: string): MlferryError {
  const message = `Version ${version} of registered model ${JSON.stringify(name)} cannot be written: ${reason}`;
  return new MlferryError('REFUSED', message, {
    hint: 'Rename or delete the registered model of this name on the target.',
  });
}

/** The version with its source as it stands on the target; files that nothing there has are sent along. */
async function placeSource(
  context: TargetContext,
  source: ObjectReader,
  wanted: ModelVersion,
  losses: RunLoss[],
  sent: { points: number; artifacts: number; bytes: number },
): Promise<ModelVersion> {
  const { routes } = context;
  const [, run_id, path = ''] = /^runs:\/+([^/]+)\/?(.*)$/.exec(wanted.source) ?? [];
  if (run_id !== undefined && run_id === wanted.run_id && routes.changes) {
    const { artifact_uri } = await routes.getRun(run_id);
    return { ...wanted, source: path === '' ? artifact_uri : `${artifact_uri}/${path}` };
  }
  const artifact_uri = `mlflow-artifacts:/${OWN_FILES}/${folderOf(wanted.name)}/${wanted.version}`;
  const owner = versionOwner(wanted, { artifact_uri });
  const sink = await context.sinkOf(undefined, owner);
  const files = await sendArtifacts(context, source, { owner, sink }, 'content', sent);
  losses.push(...artifactLosses(files));
  if (sent.artifacts > 0 || files.there > 0) return { ...wanted, source: artifact_uri };
  return wanted;
}

/** A folder name that any store keeps, for any registered name. */
function folderOf(name: string): string {
  const plain = name.replace(/[^A-Za-z0-9._-]+/g, '_').slice(0, 60);
  return `${plain}-${createHash('sha256').update(name).digest('hex').slice(0, 12)}`;
}

/**
 * Creates the version of a number: a server counts by itself, so versions that are deleted at once take the place of those
 * that the source no longer has. Where it is not known which number comes next (versions of a name that was there before
 * may be deleted, and are hidden then), the version itself is what is made, until it has its number. Throws REFUSED when
 * the number is given away already.
 */
async function createVersion(
  context: TargetContext,
  state: NameState,
  wanted: ModelVersion,
  target: ObjectTarget,
): Promise<ModelVersion> {
  const { routes } = context;
  const number = Number(wanted.version);
  if (!routes.changes) return { ...wanted, tags: {} };
  while (state.next !== undefined && state.next < number) await fillGap(context, state, wanted, number);
  const least = state.next ?? Math.max(0, ...state.versions.keys()) + 1;
  if (least > number) throw taken(wanted, `the target has given this number away, its next one is ${least}`);
  const created = await createOneVersion(context, newVersion(wanted, target));
  state.next = Number(created.version) + 1;
  if (created.version === wanted.version) return created;
  await routes.deleteModelVersion(created);
  if (Number(created.version) < number) return createVersion(context, state, wanted, target);
  throw taken(wanted, `the target gave it the number ${created.version}`);
}

function newVersion(wanted: ModelVersion, target: ObjectTarget): NewVersion {
  const { name, source, run_id, run_link, description, tags } = wanted;
  const model_id = wanted.model_id ?? /^models:\/+(m-[\w-]+)/.exec(source)?.[1];
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
const GAP_SOURCE = 's3://mlferry/gap';

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

/** Brings a version to what the source has; the digest comes last. */
async function completeVersion(
  context: TargetContext,
  wanted: ModelVersion,
  present: ModelVersion,
  { digest }: ObjectTarget,
  losses: RunLoss[],
): Promise<void> {
  const { routes } = context;
  for (const field of ['run_id', 'run_link', 'model_id'] as const) {
    if (wanted[field] === undefined || wanted[field] === present[field] || present[field] === undefined)
      continue;
    const detail = `the target has ${present[field]}, which cannot be changed`;
    losses.push({ code: 'VALUE_CONFLICT', key: field, detail });
  }
  if (wanted.description !== undefined && wanted.description !== present.description)
    await routes.describeModelVersion(wanted, wanted.description);
  if (wanted.current_stage !== present.current_stage) {
    const stage = MODEL_STAGES.find((known) => known.toLowerCase() === wanted.current_stage.toLowerCase());
    if (stage !== undefined) await routes.transitionModelVersion(wanted, stage);
  }
  for (const [key, value] of Object.entries(wanted.tags))
    if (ownValue(present.tags, key) !== value) await routes.setModelVersionTag(wanted, key, value);
  const aliases =
    wanted.aliases.length === 0 ? new Map<string, string>() : await routes.aliasesOf(wanted.name);
  for (const alias of wanted.aliases) {
    const other = aliases.get(alias);
    if (other === undefined) await routes.setAlias(wanted.name, alias, wanted.version);
    else if (other !== wanted.version) {
      const detail = `on the target the alias is that of version ${other}, and stays so`;
      losses.push({ code: 'VALUE_CONFLICT', key: `alias ${alias}`, detail });
    }
  }
  await routes.setModelVersionTag(wanted, DIGEST_TAG, digest);
}

/** Throws MISMATCH when a version reads back other than it was sent. */
function mustBe(wanted: ModelVersion, found: ModelVersion): void {
  const differs = (['description', 'current_stage', 'source', 'status'] as const).find(
    (field) => wanted[field] !== undefined && wanted[field] !== found[field],
  );
  const tag = Object.entries(wanted.tags).find(([key, value]) => ownValue(found.tags, key) !== value)?.[0];
  const what = differs ?? (tag === undefined ? undefined : `tag ${JSON.stringify(tag)}`);
  if (what === undefined) return;
  throw new MlferryError(
    'MISMATCH',
    `Version ${found.version} of registered model ${JSON.stringify(found.name)} differs from what was sent in ${what}`,
  );
}
