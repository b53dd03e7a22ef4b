import { z } from 'zod';
import { kindOf } from '../../../kinds/kinds.ts';
import type { Scorer } from '../../../model/scorer.ts';
import { wantsWholeExperiments } from '../../../model/selection.ts';
import { NO_FILES } from '../../artifact-owner.ts';
import type { ObjectSource } from '../../objects.ts';
import { integer, numericId, text } from './cells.ts';
import { checkedRows, type Store } from './store.ts';

const scorerRow = z.object({
  scorer_name: z.string().min(1),
  scorer_version: numericId,
  serialized_scorer: z.string(),
  creation_time: integer,
});

const endpointRow = z.object({ endpoint_id: z.string(), name: text });

/** The scorers of a database with their versions. */
export function scorers(store: Store): ObjectSource {
  const of = kindOf('scorer');
  const columns = store.tables.columns('scorer_versions', [
    'scorer_version',
    'serialized_scorer',
    'creation_time',
  ]);
  return {
    async *read({ experiments, selection }) {
      // They belong to whole experiments, not to runs.
      if (!wantsWholeExperiments(selection)) return;
      const endpoints = await readEndpoints(store);
      for (const { experiment_id } of experiments) {
        const rows = await checkedRows(
          store,
          scorerRow,
          `SELECT "scorers"."scorer_name" AS "scorer_name", ${columns} FROM "scorers"` +
            ' JOIN "scorer_versions" ON "scorer_versions"."scorer_id" = "scorers"."scorer_id"' +
            ` WHERE "scorers"."experiment_id" = ? ORDER BY ${store.database.dialect.bytes('"scorers"."scorer_name"')}, "scorer_versions"."scorer_version"`,
          [experiment_id],
        );
        for (const row of rows) {
          const serialized_scorer = withEndpointNames(row.serialized_scorer, endpoints);
          const record: Scorer = { kind: 'scorer', experiment_id, ...row, serialized_scorer };
          yield { of, record, ...NO_FILES };
        }
      }
    },
  };
}

/** Ids of gateway endpoints → their names. */
async function readEndpoints(store: Store): Promise<ReadonlyMap<string, string>> {
  if (!store.tables.has('endpoints')) return new Map();
  const rows = await checkedRows(store, endpointRow, 'SELECT "endpoint_id", "name" FROM "endpoints"');
  return new Map(rows.map(({ endpoint_id, name }) => [endpoint_id, name]));
}

/** A database has ids of endpoints where MLflow takes and tells their names. */
export function withEndpointNames(scorer: string, endpoints: ReadonlyMap<string, string>): string {
  return scorer.replace(/\bgateway:\/([\w-]+)/g, (uri, id: string) => {
    const name = endpoints.get(id);
    return name === undefined || name === '' ? uri : `gateway:/${JSON.stringify(name).slice(1, -1)}`;
  });
}
