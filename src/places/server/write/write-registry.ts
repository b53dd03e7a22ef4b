import {
  CREATION_TIME_TAG,
  DIGEST_TAG,
  ORIGIN_TAG,
  originId,
  VERSION_SOURCE_TAG,
  withoutBookkeeping,
} from '../../../model/canonical.ts';
import { type FoundObject, lacksFiles } from '../../../model/findings.ts';
import type { RunLoss } from '../../../model/fit-run.ts';
import type { LoggedModel } from '../../../model/logged-model.ts';
import { MODEL_STAGES } from '../../../model/mlflow/model-stages.ts';
import { REGISTERED_DIRECTORY } from '../../../model/own-files.ts';
import { type ModelVersion, modelVersion, registeredModel } from '../../../model/registered-model.ts';
import { ownValue } from '../../../model/string-map.ts';
import { appendAll } from '../../../util/append-all.ts';
import { MlferryError } from '../../../util/errors.ts';
import { hasFiles } from '../../has-files.ts';
import { notedSince } from '../../noted-since.ts';
import type { ObjectReader, ObjectTarget, ObjectWriter } from '../../objects.ts';
import { registeredFolder } from '../../writing/registered-folder.ts';
import { versionOwner } from '../connect/owner.ts';
import { knowsModels } from '../read/logged-models.ts';
import { fitVersion, isHeldByModel, representVersion } from './fit-registry.ts';
import { needsHolder, versionFilesHolder } from './hold-version-files.ts';
import { createVersion, taken } from './number-versions.ts';
import { type NameState, registryState } from './registry-state.ts';
import { type RunLookup, runLookup } from './run-lookup.ts';
import { artifactLosses } from './run-losses.ts';
import { sendArtifacts } from './send-artifacts.ts';
import type { TargetContext } from './target-context.ts';
import type { TargetExperiments } from './target-experiments.ts';
import { createModel, updateModel } from './write-registered-model.ts';

/** Writes registered models and their versions to a server. */
export interface RegistryWriter {
  readonly models: ObjectWriter;
  readonly versions: ObjectWriter;
  /** Reports what could not be kept of all of them. */
  finish(): void;
}

/** See {@link RegistryWriter}. */
export function registryWriter(
  context: TargetContext,
  experiments: TargetExperiments,
  hasModel: (model_id: string) => boolean,
): RegistryWriter {
  const { routes, findings } = context;
  const runOf = runLookup(context);
  const stateOf = registryState(context);
  const holdFiles = knowsModels(context.client) ? versionFilesHolder(context, experiments) : undefined;
  let created = 0;

  return {
    async models(source, target) {
      const whole = registeredModel.parse(target.remap({ id: originId(target.origin) }));
      // The marks of an earlier copy are not this one's.
      const wanted = { ...whole, tags: withoutBookkeeping(whole.tags) };
      const of = { kind: source.of.kind, id: originId(target.origin), name: wanted.name };
      const { model } = await stateOf(wanted.name);
      if (model !== undefined) return updateModel(context, of, wanted, model, target);
      created += 1;
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
        if (isEqual(whole, withAliases(present, state)))
          return { id, outcome: 'unchanged', artifacts: 0, bytes: 0 };
        throw taken(whole, 'the target has another version of this number');
      }
      if (present !== undefined && ownValue(present.tags, DIGEST_TAG) === target.digest)
        return { id, outcome: 'unchanged', artifacts: 0, bytes: 0 };
      const losses: RunLoss[] = [];
      const sent = { points: 0, artifacts: 0, bytes: 0 };
      // The source of a version cannot be changed: one that a model holds stays so when its run comes later.
      const isHeld = present !== undefined && isHeldByModel(present);
      const hold =
        holdFiles !== undefined && (isHeld || (await needsHolder(context, whole, hasModel, runOf)))
          ? holdFiles
          : undefined;
      const hasNoted = notedSince(findings, id);
      const located =
        hold === undefined
          ? await placeSource(context, source, whole, present, runOf, losses, sent)
          : held(whole, await hold(source, whole, target, losses, sent));
      // Without files it is not complete: a copy from where they are brings them.
      const isWhole = !lacksFiles(losses) && !hasNoted();
      const { version: fitted, losses: unfit } = fitVersion(located);
      // By this tag the version is known to be right although its source is another.
      const marks = hold === undefined ? {} : { [VERSION_SOURCE_TAG]: whole.source };
      const wanted = { ...fitted, tags: { ...fitted.tags, ...marks } };
      losses.push(...unfit);
      const there = present ?? (await createVersion(context, state, wanted, target));
      if (present === undefined) created += 1;
      await completeVersion(context, state, wanted, there, target, losses);
      if (isWhole) await routes.setModelVersionTag(wanted, DIGEST_TAG, target.digest);
      if (routes.changes) {
        const now = await routes.modelVersion(wanted.name, wanted.version);
        mustBe(present === undefined ? wanted : withFixedFields(wanted, present), now);
        state.versions.set(Number(wanted.version), now);
      }
      const of: FoundObject = { kind: source.of.kind, id, name: wanted.name };
      for (const loss of losses) findings.loss({ ...loss, of });
      return { id, outcome: present === undefined ? 'created' : 'updated', ...sent };
    },
    finish() {
      if (created === 0) return;
      findings.loss({
        code: 'MODEL_TIMES',
        count: created,
        detail: `a server sets times and users of registered models and versions itself: when the source’s were created stands in their tag ${CREATION_TIME_TAG}`,
      });
    },
  };
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

/**
 * The version with its source as it stands on the target; files that nothing there has are sent along, below its run where
 * that is on the target: newest servers take a source on their own proxy nowhere else.
 */
async function placeSource(
  context: TargetContext,
  source: ObjectReader,
  wanted: ModelVersion,
  present: ModelVersion | undefined,
  runOf: RunLookup,
  losses: RunLoss[],
  sent: { points: number; artifacts: number; bytes: number },
): Promise<ModelVersion> {
  const [, run_id, inRun = ''] = /^runs:\/+([^/]+)\/?(.*)$/.exec(wanted.source) ?? [];
  const isOfRun = run_id !== undefined && run_id === wanted.run_id;
  const brings = await hasFiles(source);
  const run = isOfRun || brings ? await runOf(wanted) : undefined;
  const own = `${REGISTERED_DIRECTORY}/${registeredFolder(wanted.name)}/${wanted.version}`;
  const path = isOfRun && run !== undefined ? inRun : own;
  const artifact_uri =
    run === undefined ? `mlflow-artifacts:/${own}` : `${run.artifact_uri}${path === '' ? '' : `/${path}`}`;
  if (brings) {
    const below = run === undefined ? {} : { within: { run_id: run.run_id, path } };
    const owner = versionOwner(wanted, { artifact_uri, ...below });
    const sink = await context.sinkOf(undefined, owner);
    const files = await sendArtifacts(context, source, { owner, sink }, 'content', sent);
    appendAll(losses, artifactLosses(files));
    const [first] = files.failed;
    if (first !== undefined) throw first.error;
    if (sent.artifacts > 0 || files.there > 0) return { ...wanted, source: artifact_uri };
  }
  if (path === inRun && run !== undefined) return { ...wanted, source: artifact_uri };
  // Files that came along earlier are there; the source of a version cannot be changed.
  return present?.source.includes(`/${REGISTERED_DIRECTORY}/`) === true
    ? { ...wanted, source: present.source }
    : wanted;
}

/** A version whose source is a logged model made for its files. */
function held(version: ModelVersion, { model_id }: LoggedModel): ModelVersion {
  return { ...version, source: `models:/${model_id}`, model_id };
}

/** What is wanted of a version that is there: what it was made of cannot be changed any more. */
function withFixedFields(
  { run_id: _, ...wanted }: ModelVersion,
  { source, run_id }: ModelVersion,
): ModelVersion {
  return { ...wanted, source, ...(run_id === undefined ? {} : { run_id }) };
}

/** Brings a version to what the source has. */
async function completeVersion(
  context: TargetContext,
  state: NameState,
  wanted: ModelVersion,
  present: ModelVersion,
  { origin }: ObjectTarget,
  losses: RunLoss[],
): Promise<void> {
  const { routes } = context;
  for (const field of ['run_id', 'run_link', 'model_id'] as const) {
    if (wanted[field] === undefined || wanted[field] === present[field] || present[field] === undefined)
      continue;
    const detail = `the target has ${present[field]}, which cannot be changed`;
    losses.push({ code: 'VALUE_CONFLICT', key: field, detail });
  }
  if ((wanted.description ?? '') !== (present.description ?? ''))
    await routes.describeModelVersion(wanted, wanted.description ?? '');
  if (wanted.current_stage !== present.current_stage) {
    const stage = MODEL_STAGES.find((known) => known.toLowerCase() === wanted.current_stage.toLowerCase());
    if (stage !== undefined) await routes.transitionModelVersion(wanted, stage);
  }
  for (const [key, value] of Object.entries(wanted.tags))
    if (ownValue(present.tags, key) !== value) await routes.setModelVersionTag(wanted, key, value);
  losses.push(...(await setAliases(context, state, wanted, origin)));
}

/**
 * Points aliases to a version, from another one only where that is a copy of the same source's. Throws MISMATCH when one is
 * not there afterwards.
 */
async function setAliases(
  { routes }: TargetContext,
  { aliases, versions }: NameState,
  { name, version, aliases: wanted }: ModelVersion,
  origin: string,
): Promise<RunLoss[]> {
  const losses: RunLoss[] = [];
  const set: string[] = [];
  for (const alias of wanted) {
    const other = aliases.get(alias);
    if (other === version) continue;
    const theirs = ownValue(versions.get(Number(other))?.tags ?? {}, ORIGIN_TAG);
    if (other !== undefined && (theirs === undefined || sourceOf(theirs) !== sourceOf(origin))) {
      const detail = `on the target the alias is that of version ${other}, and stays so`;
      losses.push({ code: 'VALUE_CONFLICT', key: `alias ${alias}`, detail });
      continue;
    }
    await routes.setAlias(name, alias, version);
    aliases.set(alias, version);
    set.push(alias);
  }
  if (set.length === 0 || !routes.changes) return losses;
  const there = await routes.aliasesOf(name);
  const missing = set.find((alias) => there.get(alias) !== version);
  if (missing === undefined) return losses;
  const message = `The alias ${missing} of registered model ${JSON.stringify(name)} was accepted, but is not there`;
  throw new MlferryError('MISMATCH', message);
}

/** The origin of a version without its number: all versions of one registered model have the same. */
const sourceOf = (origin: string) => origin.slice(0, origin.lastIndexOf('/'));

/** A version with the aliases that its registered model tells. */
function withAliases(version: ModelVersion, { aliases }: NameState): ModelVersion {
  const own = [...aliases].flatMap(([alias, number]) => (number === version.version ? [alias] : []));
  return { ...version, aliases: own.sort() };
}

/** Throws MISMATCH when a version reads back other than it was sent. */
function mustBe(wanted: ModelVersion, found: ModelVersion): void {
  const differs = (['description', 'current_stage', 'source', 'status', 'run_id'] as const).find(
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
