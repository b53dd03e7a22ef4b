import { describeObject } from '../../../kinds/kinds.ts';
import { objectDigest } from '../../../kinds/object-digest.ts';
import { DIGEST_TAG, ORIGIN_TAG } from '../../../model/canonical.ts';
import type { ModelVersion } from '../../../model/registered-model.ts';
import { ownValue, type StringMap } from '../../../model/string-map.ts';
import { MlferryError } from '../../../util/errors.ts';
import { fileFailure } from '../../file-failure.ts';
import { hasFiles } from '../../has-files.ts';
import { notedSince } from '../../noted-since.ts';
import type { ObjectTarget, WriteOutcome } from '../../objects.ts';
import { registeredFolder } from '../../writing/registered-folder.ts';
import { readAliases, readRegisteredModel, readVersion } from '../read/registry.ts';
import { rootOf } from '../read/version-files.ts';
import { fitVersion, representVersion, VERSION_FILES } from './fit-registry.ts';
import { marksOf, mustHold, ownCells, type RegistryJob, refused, tagsOf } from './registry-rows.ts';
import { type Cells, insertRow, setTexts, updateRow } from './rows.ts';
import { writeRunFiles } from './run-files.ts';
import type { Target } from './target.ts';

const NOTHING = { artifacts: 0, bytes: 0 };

/** What became of a version. */
interface Written {
  readonly outcome: WriteOutcome;
  readonly artifacts: number;
  readonly bytes: number;
}

/** Writes a version, or brings the copy that is there up to date. Throws REFUSED where the number is something else’s. */
export async function writeVersion(job: RegistryJob, wanted: ModelVersion): Promise<Written> {
  const { target, source, copy, of, note } = job;
  const { name, version } = wanted;
  const found = await readVersion(target, name, version);
  const words = `Version ${version} of registered model ${JSON.stringify(name)}`;
  const present = found?.record;
  const origin = ownValue(present?.tags ?? {}, ORIGIN_TAG);
  if (found?.isDeleted === true) {
    if (origin !== copy.origin)
      throw refused(words, 'was deleted on the target, which gives no number twice', name);
    note({ code: 'LEFT_DELETED', detail: 'it was deleted on the target and was left deleted' });
    return { outcome: 'left', ...NOTHING };
  }
  if (present !== undefined && origin !== copy.origin) {
    const { record } = representVersion(target, wanted, present);
    if (objectDigest(source.of, record) !== objectDigest(source.of, present))
      throw refused(words, 'is there already, and is another one', name);
    if (origin === undefined && !target.dryRun)
      await target.transactions.run(2, () =>
        setTexts(target.database, tagsOf(target, 'model_version_tags', { name, version }), marksOf(copy)),
      );
    return { outcome: 'unchanged', ...NOTHING };
  }
  if (present !== undefined && ownValue(present.tags, DIGEST_TAG) === copy.digest)
    return { outcome: 'unchanged', ...NOTHING };
  const hasNoted = notedSince(target.findings, of.id);
  const located = await placeFiles(job, wanted);
  const { record, losses } = fitVersion(target, { ...wanted, source: located.source });
  mustHold(target, 'model_versions', { source: record.source, name });
  for (const loss of losses) note(loss);
  // Without files it is not complete: a copy from where they are brings them.
  const tags = {
    ...record.tags,
    [ORIGIN_TAG]: copy.origin,
    ...(located.isWhole && !hasNoted() ? { [DIGEST_TAG]: copy.digest } : {}),
  };
  const { artifacts, bytes } = located;
  const changes = target.dryRun
    ? Number(present === undefined)
    : await target.transactions.run(20, () => writeRows(job, record, present, tags, located.storage));
  const outcome = present === undefined ? 'created' : changes + artifacts > 0 ? 'updated' : 'unchanged';
  return { outcome, artifacts, bytes };
}

/** A version's source as it stands in the database, and where MLflow finds its files. */
interface Located extends Omit<Written, 'outcome'> {
  readonly source: string;
  readonly storage: string | null;
  readonly isWhole: boolean;
}

/** Writes the files that come along with a version, and finds those of its run or logged model. */
async function placeFiles({ target, source, of, note }: RegistryJob, wanted: ModelVersion): Promise<Located> {
  if (await hasFiles(source)) {
    const id = `${registeredFolder(wanted.name)}-${wanted.version}`;
    const artifact_uri = `${target.roots.locationOf(VERSION_FILES)}/${id}/artifacts`;
    const directory = await target.roots.directoryOf({ id, artifact_uri });
    const files = await writeRunFiles({
      ...{ target, source, artifact_uri, directory, note },
      fail: (path, error) =>
        target.findings.failure(fileFailure(path, error, { words: describeObject(of), of })),
    });
    const { artifacts, bytes } = files;
    const place = directory === undefined ? wanted.source : artifact_uri;
    return { source: place, storage: place, isWhole: files.isWhole && !files.isMissing, artifacts, bytes };
  }
  const whole = { isWhole: true, ...NOTHING };
  const [, run_id, path = ''] = /^runs:\/+([^/]+)\/?(.*)$/.exec(wanted.source) ?? [];
  const [, model_id] = /^models:\/+(m-[\w-]+)/.exec(wanted.source) ?? [];
  const id = run_id ?? model_id;
  const root = id === undefined ? undefined : await rootOf(target, model_id, id);
  if (run_id !== undefined && root !== undefined) {
    const place = path === '' ? root : `${root}/${path}`;
    return { source: place, storage: place, ...whole };
  }
  const isCopy = model_id === undefined && wanted.source.startsWith('models:');
  return { source: wanted.source, storage: isCopy ? null : (root ?? wanted.source), ...whole };
}

/** The rows of a version, in a transaction; how many changed. */
async function writeRows(
  { target, copy, note }: RegistryJob,
  record: ModelVersion,
  present: ModelVersion | undefined,
  tags: StringMap,
  storage: string | null,
): Promise<number> {
  const { database } = target;
  const { name, version } = record;
  const own = ownCells(target, 'model_versions', { name, version });
  const cellsOf = (each: ModelVersion): Cells => [
    ['creation_time', each.creation_timestamp],
    ['last_updated_time', each.last_updated_timestamp],
    ['description', each.description ?? null],
    ['user_id', each.user_id ?? null],
    ['current_stage', each.current_stage],
    ['source', each.source],
    ['run_id', each.run_id ?? null],
    ['run_link', each.run_link ?? null],
    ['status', each.status],
    ['status_message', each.status_message ?? null],
  ];
  const place: Cells = [['storage_location', storage]];
  let changes = 0;
  if (present === undefined) {
    await touchModel(target, record);
    const key = own.map(([column]) => column);
    changes += await insertRow(database, 'model_versions', key, [...own, ...cellsOf(record), ...place]);
  } else {
    const moved = present.source === record.source ? [] : place;
    changes += await updateRow(
      database,
      'model_versions',
      own,
      [...cellsOf(record), ...moved],
      cellsOf(present),
    );
  }
  changes += await setTexts(
    database,
    tagsOf(target, 'model_version_tags', { name, version }),
    tags,
    present?.tags,
  );
  return changes + (await placeAliases(target, record, copy, note));
}

/** A registered model is as new as its newest version, as in MLflow. Throws NOT_FOUND where there is none. */
async function touchModel(target: Target, { name, creation_timestamp }: ModelVersion): Promise<void> {
  if ((await readRegisteredModel(target, name)) === undefined)
    throw new MlferryError('NOT_FOUND', `The database has no registered model ${JSON.stringify(name)}`);
  const own = ownCells(target, 'registered_models', { name });
  await target.database.change(
    `UPDATE "registered_models" SET "last_updated_time" = ? WHERE COALESCE("last_updated_time", 0) < ?` +
      own.map(([column]) => ` AND "${column}" = ?`).join(''),
    [creation_timestamp, creation_timestamp, ...own.map(([, cell]) => cell)],
  );
}

/** Points aliases to a version; from another version only where that is a copy of the same source's. */
async function placeAliases(
  target: Target,
  { name, version, aliases }: ModelVersion,
  { origin }: ObjectTarget,
  note: RegistryJob['note'],
): Promise<number> {
  if (aliases.length === 0) return 0;
  const there = await readAliases(target, name);
  const moved: Array<readonly [string, string]> = [];
  for (const alias of aliases) {
    const other = there.get(alias);
    if (other === version) continue;
    const holder = other === undefined ? undefined : await readVersion(target, name, other);
    const theirs = ownValue(holder?.record.tags ?? {}, ORIGIN_TAG);
    if (holder === undefined || (theirs !== undefined && sourceOf(theirs) === sourceOf(origin)))
      moved.push([alias, version]);
    else {
      const detail = `on the target the alias is that of version ${other}, and stays so`;
      note({ code: 'VALUE_CONFLICT', key: `alias ${alias}`, detail });
    }
  }
  const table = 'registered_model_aliases';
  const own = ownCells(target, table, { name });
  return setTexts(
    target.database,
    { table, key: 'alias', value: 'version', own },
    Object.fromEntries(moved),
    Object.fromEntries(there),
  );
}

/** The origin of a version without its number: all versions of one registered model have the same. */
const sourceOf = (origin: string) => origin.slice(0, origin.lastIndexOf('/'));
