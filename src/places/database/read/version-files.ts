import { z } from 'zod';
import { kindOf } from '../../../kinds/kinds.ts';
import { locate } from '../../../kinds/remap-object.ts';
import type { ModelVersion } from '../../../model/registered-model.ts';
import type { ArtifactOwner } from '../../artifact-owner.ts';
import { filesAt, type Home, homeBelow } from '../../reading/files-at.ts';
import { VERSION_FILES } from '../write/fit-registry.ts';
import { text } from './cells.ts';
import { homeOf } from './files.ts';
import { checkedRows, type Store } from './store.ts';

/** The root of files that came along with a version. */
const OWN_FILES = new RegExp(`/${VERSION_FILES}/([^/]+)/artifacts$`);

const rootRow = z.object({ artifact_uri: text });

/** The files at a version's source, if that is a run or logged model of this database and they can be reached. */
export function versionFiles(store: Store, { name, version, source }: ModelVersion): ArtifactOwner {
  const of = { kind: kindOf('model_version').kind, id: `${name}/${version}` };
  return filesAt(
    () => findFiles(store, source),
    (loss) => store.note({ ...loss, of }),
  );
}

async function findFiles(store: Store, source: string): Promise<Home> {
  const located = locate(source, () => true);
  const [, model_id] = /^models:\/+(m-[\w-]+)/.exec(located) ?? [];
  const [, run_id, path = ''] = /^runs:\/+([\w-]+)\/?(.*)$/.exec(located) ?? [];
  const [, own] = OWN_FILES.exec(source) ?? [];
  const id = model_id ?? run_id ?? own;
  if (id === undefined || path.split('/').includes('..')) {
    const detail = `The files are at ${source}, which is neither a run's nor a logged model's here`;
    return { loss: { code: 'ARTIFACTS_UNREACHABLE', detail } };
  }
  const artifact_uri = (own === undefined ? await rootOf(store, model_id, id) : undefined) ?? source;
  return homeBelow(await homeOf(store, { id, artifact_uri }), path);
}

/** The artifact root of a logged model, else of a run. */
export async function rootOf(
  store: Store,
  model_id: string | undefined,
  id: string,
): Promise<string | undefined> {
  if (model_id !== undefined && !store.tables.has('logged_models')) return undefined;
  const sql =
    model_id === undefined
      ? 'SELECT "artifact_uri" FROM "runs" WHERE "run_uuid" = ?'
      : 'SELECT "artifact_location" AS "artifact_uri" FROM "logged_models" WHERE "model_id" = ?';
  const [row] = await checkedRows(store, rootRow, sql, [id]);
  return row?.artifact_uri;
}
