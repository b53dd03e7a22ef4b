import { randomUUID } from 'node:crypto';
import { z } from 'zod';
import { originId } from '../../../model/canonical.ts';
import { type Scorer, scorer } from '../../../model/scorer.ts';
import { isSameJson } from '../../../model/typed-json.ts';
import { MlferryError } from '../../../util/errors.ts';
import type { ObjectWriter } from '../../objects.ts';
import { withEndpointNames } from '../read/scorers.ts';
import { checkedRows, inWorkspace } from '../read/store.ts';
import { type Cells, insertRow } from './rows.ts';
import type { Target } from './target.ts';
import { textFitter } from './text-fitter.ts';

const scorerRow = z.object({ scorer_id: z.string() });
const versionRow = z.object({ serialized_scorer: z.string() });
const endpointRow = z.object({ endpoint_id: z.string(), name: z.string() });

/** Writes versions of scorers (MLflow 3.4 and newer) with their numbers. A number that has another content is REFUSED. */
export function scorerWriter(target: Target): ObjectWriter {
  const { database, transactions, dryRun } = target;

  const idOf = async ({ experiment_id, scorer_name }: Scorer): Promise<string | undefined> => {
    const sql = 'SELECT "scorer_id" FROM "scorers" WHERE "experiment_id" = ? AND "scorer_name" = ?';
    const [found] = await checkedRows(target, scorerRow, sql, [experiment_id, scorer_name]);
    return found?.scorer_id;
  };

  const presentOf = async (scorer_id: string, { scorer_version }: Scorer): Promise<string | undefined> => {
    const sql =
      'SELECT "serialized_scorer" FROM "scorer_versions" WHERE "scorer_id" = ? AND "scorer_version" = ?';
    const [found] = await checkedRows(target, versionRow, sql, [scorer_id, scorer_version]);
    return found?.serialized_scorer;
  };

  /** Endpoints of the gateway: ids by names. */
  const readEndpoints = async (): Promise<ReadonlyMap<string, string>> => {
    if (!target.tables.has('endpoints')) return new Map();
    const { where, parameters } = inWorkspace(target, 'endpoints');
    const sql = `SELECT "endpoint_id", "name" FROM "endpoints" WHERE ${where} AND "name" IS NOT NULL`;
    const rows = await checkedRows(target, endpointRow, sql, parameters);
    return new Map(rows.map(({ endpoint_id, name }) => [name, endpoint_id]));
  };

  /** A version whose scorer may have to be made first, in a transaction. */
  const insert = async (wanted: Scorer, text: string, endpoint_id: string | undefined): Promise<void> => {
    const { experiment_id, scorer_name, scorer_version, creation_time } = wanted;
    const known = await idOf(wanted);
    const scorer_id = known ?? randomUUID();
    const of: Cells = [['scorer_id', scorer_id]];
    if (known === undefined)
      await insertRow(
        database,
        'scorers',
        ['scorer_id'],
        [...of, ['experiment_id', experiment_id], ['scorer_name', scorer_name]],
      );
    await insertRow(
      database,
      'scorer_versions',
      ['scorer_id', 'scorer_version'],
      [
        ...of,
        ['scorer_version', scorer_version],
        ['serialized_scorer', text],
        ['creation_time', creation_time],
      ],
    );
    if (endpoint_id === undefined || !target.tables.has('endpoint_bindings')) return;
    const binding = ['endpoint_id', 'resource_type', 'resource_id'];
    const columns = [...binding, 'created_at', 'last_updated_at'];
    const named = target.tables.has('endpoint_bindings', 'display_name');
    await database.insert(
      { table: 'endpoint_bindings', columns: named ? [...columns, 'display_name'] : columns, key: binding },
      [[endpoint_id, 'scorer', scorer_id, creation_time, creation_time, ...(named ? [scorer_name] : [])]],
    );
  };

  return async (_source, copy) => {
    const wanted = scorer.parse(copy.remap({ id: originId(copy.origin) }));
    const { scorer_name, scorer_version, serialized_scorer } = wanted;
    const words = `Version ${scorer_version} of scorer ${JSON.stringify(scorer_name)}`;
    const done = { id: `${wanted.experiment_id}/${scorer_name}/${scorer_version}`, artifacts: 0, bytes: 0 };
    const { holds } = textFitter(target, '');
    if (
      !holds('scorers', 'scorer_name', scorer_name) ||
      !holds('scorer_versions', 'serialized_scorer', serialized_scorer)
    )
      throw new MlferryError(
        'UNSUPPORTED',
        `${words} has characters, or a length, that the database cannot hold`,
      );
    const endpoints = await readEndpoints();
    const scorer_id = await idOf(wanted);
    const present = scorer_id === undefined ? undefined : await presentOf(scorer_id, wanted);
    if (present !== undefined) {
      const names = new Map([...endpoints].map(([name, id]) => [id, name]));
      if (isSameJson(withEndpointNames(present, names), serialized_scorer))
        return { ...done, outcome: 'unchanged' };
      throw new MlferryError(
        'REFUSED',
        `${words} cannot be written: the target has another version of this number`,
        {
          hint: 'Delete the scorer of this name on the target, or copy into another experiment.',
        },
      );
    }
    const { text, endpoint_id } = withEndpointId(serialized_scorer, endpoints, words);
    if (!dryRun) await transactions.run(3, () => insert(wanted, text, endpoint_id));
    return { ...done, outcome: 'created' };
  };
}

/** A scorer with the id of its endpoint, which MLflow keeps in place of the name that it takes and tells. Throws UNSUPPORTED. */
function withEndpointId(
  serialized: string,
  endpoints: ReadonlyMap<string, string>,
  words: string,
): { readonly text: string; readonly endpoint_id?: string } {
  const [uri, quoted] = /"gateway:\/((?:[^"\\]|\\.)+)"/.exec(serialized) ?? [];
  if (uri === undefined) return { text: serialized };
  const name = z.string().parse(JSON.parse(`"${quoted}"`));
  const endpoint_id = endpoints.get(name);
  if (endpoint_id !== undefined)
    return { text: serialized.replaceAll(uri, JSON.stringify(`gateway:/${endpoint_id}`)), endpoint_id };
  throw new MlferryError(
    'UNSUPPORTED',
    `${words} asks the gateway endpoint "${name}", which the target does not have`,
    {
      hint: 'Make the endpoint on the target, and copy again.',
    },
  );
}
