import type { ObjectRecord } from '../../../kinds/kind.ts';
import { kindOf } from '../../../kinds/kinds.ts';
import { idOf } from '../../../kinds/marks.ts';
import { wantsWholeRegistry } from '../../../kinds/model-registry.ts';
import type { Findings } from '../../../model/findings.ts';
import { MlferryError } from '../../../util/errors.ts';
import { withoutUndefined } from '../../../util/without-undefined.ts';
import { NO_FILES } from '../../artifact-owner.ts';
import type { ObjectSource } from '../../objects.ts';
import { isAtLeast } from '../connect/capabilities.ts';
import { pages } from '../connect/pages.ts';
import { routes } from '../connect/routes.ts';
import type { TrackingClient } from '../connect/tracking-client.ts';

/** A list that a server gives in pages, or whole. */
interface Page {
  readonly records: readonly ObjectRecord[];
  readonly next_page_token?: string | undefined;
}
type Ask = (max_results: number, page_token: string | undefined) => Promise<Page>;

const PAGE = 100;

/**
 * What a server with a database has of the kinds that people make anew: webhooks and, from 3.9, the objects of the AI gateway. Who
 * may not list them is told so; it is not known then that there are any.
 */
export function madeAnew(client: TrackingClient, findings: Findings): ReadonlyMap<string, ObjectSource> {
  const lists: Array<readonly [kind: string, ask: Ask]> = [
    [
      'webhook',
      async (max_results, page_token) => {
        const answer = await client.call(routes.webhooks, { query: { max_results, page_token } });
        return { records: answer.webhooks, next_page_token: answer.next_page_token };
      },
    ],
  ];
  if (isAtLeast(client.server, '3.9'))
    lists.push(
      ['gateway_secret', async () => ({ records: (await client.call(routes.gatewaySecrets)).secrets })],
      [
        'gateway_model_definition',
        async () => ({ records: (await client.call(routes.gatewayModelDefinitions)).model_definitions }),
      ],
      ['gateway_endpoint', async () => ({ records: (await client.call(routes.gatewayEndpoints)).endpoints })],
      [
        'gateway_guardrail',
        async (max_results, page_token) => {
          const answer = await client.call(routes.gatewayGuardrails, { query: { max_results, page_token } });
          return { records: answer.guardrails, next_page_token: answer.next_page_token };
        },
      ],
      [
        'gateway_budget_policy',
        async (max_results, page_token) => {
          const answer = await client.call(routes.gatewayBudgetPolicies, {
            query: { max_results, page_token },
          });
          return { records: answer.budget_policies, next_page_token: answer.next_page_token };
        },
      ],
    );
  return new Map(lists.map(([kind, ask]) => [kind, sourceOf(kind, ask, findings)]));
}

function sourceOf(kind: string, ask: Ask, findings: Findings): ObjectSource {
  const of = kindOf(kind);
  return {
    async *read({ selection }) {
      if (!wantsWholeRegistry(selection)) return;
      const seen = new Set<string>();
      const isNew = ({ records }: Page) => records.some((record) => !seen.has(idOf(of, record)));
      try {
        for await (const { records } of pages({
          name: `The list of ${of.words.many}`,
          ask,
          isNew,
          size: PAGE,
        }))
          for (const told of records) {
            const record = of.schema.parse(withoutUndefined(told));
            const id = idOf(of, record);
            if (seen.has(id)) continue;
            seen.add(id);
            yield { of, record, ...NO_FILES };
          }
      } catch (error) {
        if (!(error instanceof MlferryError)) throw error;
        if (['UNSUPPORTED', 'NOT_FOUND'].includes(error.code)) return;
        if (error.code !== 'DENIED') throw error;
        const detail = `${of.words.many}: this user may not list them`;
        findings.loss({ code: 'NOT_READ', left_behind: false, key: kind, detail });
      }
    },
  };
}
