import { createHash } from 'node:crypto';
import type { Parts } from '../job/parts.ts';
import { withLinks } from '../kinds/model-links.ts';
import type { Run } from '../model/records.ts';
import type { RunReader } from '../places/place.ts';

/** A source run with all its links to models, reduced to the parts that are carried; `onRead` hears of points and bytes as they flow. */
export async function carriedRun(
  source: RunReader,
  parts: Parts,
  onRead: (points: number, bytes: number) => void,
): Promise<RunReader> {
  const links = await source.modelLinks?.();
  const whole = links === undefined ? source.run : withLinks(source.run, links);
  const run: Run = parts.metrics ? whole : { ...whole, latest_metrics: {} };
  return {
    run,
    ...(source.incomplete === true ? { incomplete: true } : {}),
    async *metrics() {
      if (!parts.metrics) return;
      for await (const piece of source.metrics()) {
        onRead(piece.points.length, 0);
        yield piece;
      }
    },
    async *artifacts() {
      if (parts.artifacts) yield* source.artifacts();
    },
    async open(artifact) {
      const body = await source.open(artifact);
      body?.on('data', (chunk: Buffer) => onRead(0, chunk.length));
      body?.pause();
      return body;
    },
  };
}

/** The digest of a run of which only some parts are carried: a later full copy must not take it for complete. */
export function partDigest(full: string, { metrics, artifacts }: Parts): string {
  if (metrics && artifacts) return full;
  return createHash('sha256').update(`${full} metrics=${metrics} artifacts=${artifacts}`).digest('hex');
}
