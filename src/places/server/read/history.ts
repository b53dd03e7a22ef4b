import { z } from 'zod';
import {
  buildPoints,
  forEachPoint,
  type Points,
  type PointsBuilder,
  slicePoints,
} from '../../../model/points.ts';
import { splitJsonList } from '../../../model/split-json.ts';
import type { PointSequence } from '../../reading/point-store.ts';
import { bytesOf } from '../connect/body.ts';
import { pageTokens } from '../connect/page-tokens.ts';
import { routes } from '../connect/routes.ts';
import type { TrackingClient } from '../connect/tracking-client.ts';
import { parseMetric, sortedByTime } from './points.ts';

/** Points asked for in one request: what MLflow's own client sends, and the most that get-history-bulk answers. */
export const PAGE_POINTS = 25_000;

const frame = z.object({ next_page_token: z.string().optional() });

/**
 * Reads the whole history of one key of a run into `sequence`, a page at a time. MLflow up to 3.1 ignores the page size
 * and sends everything, which is why answers are parsed as a stream; MLflow 3.2 … 3.13 sends nothing without
 * `max_results`. Up to 25,000 points are put in (timestamp, step, value) order, as get-history-bulk has them; longer
 * ones come in the server's order. Throws SERVER_ERROR on a page token that comes again.
 */
export async function readHistory(
  client: TrackingClient,
  run_id: string,
  metric_key: string,
  sequence: Pick<PointSequence, 'append' | 'mark' | 'cutBack'>,
): Promise<void> {
  /** The first points, until it is known whether there are few enough to sort. */
  let head: PointsBuilder | undefined = buildPoints();
  const add = async (points: Points) => {
    if (head !== undefined && head.length + points.length <= PAGE_POINTS) {
      forEachPoint(points, head.push);
      return;
    }
    if (head !== undefined) await sequence.append(head);
    head = undefined;
    await sequence.append(points);
  };
  const follow = pageTokens(`History of ${JSON.stringify(metric_key)} of run ${run_id}`);
  let page_token: string | undefined;
  do {
    let news = false;
    const before = { head, length: head?.length ?? 0, mark: sequence.mark() };
    const query = { run_id, metric_key, max_results: PAGE_POINTS, page_token };
    page_token = await client.stream(routes.history, query, async (body) => {
      head = before.head && buildPoints(slicePoints(before.head, 0, before.length));
      sequence.cutBack(before.mark);
      const rest = await splitJsonList(bytesOf(body), (items) => {
        news ||= items.length > 0;
        const points = buildPoints();
        for (const item of items) {
          const { step, timestamp, value } = parseMetric(item);
          points.push(step, timestamp, value);
        }
        return add(points);
      });
      return frame.parse(rest).next_page_token || undefined;
    });
    page_token = follow(page_token, news);
  } while (page_token !== undefined);
  if (head !== undefined) await sequence.append(sortedByTime(head));
}
