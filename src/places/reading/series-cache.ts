import type { MetricPoints } from '../place.ts';

/** Points that are kept in memory by one reader, 24 bytes each, and those of one run at most. */
const MOST_POINTS = 500_000;
const MOST_OF_A_RUN = 100_000;

/**
 * The series of runs that were read for their latest points and will be asked for soon: so a file is read once. What is
 * too much is forgotten, the oldest first, and read again.
 */
export interface SeriesCache {
  /** Passes a run's series on, and keeps them if they are not too many. */
  keep(directory: string, series: AsyncIterable<MetricPoints>): AsyncGenerator<MetricPoints>;
  /** Takes the series of a run out. */
  take(directory: string): readonly MetricPoints[] | undefined;
  clear(): void;
}

/** An empty {@link SeriesCache}. */
export function createSeriesCache(): SeriesCache {
  const kept = new Map<string, { series: readonly MetricPoints[]; points: number }>();
  let total = 0;
  const take = (directory: string) => {
    const found = kept.get(directory);
    kept.delete(directory);
    total -= found?.points ?? 0;
    return found?.series;
  };
  return {
    async *keep(directory, series) {
      take(directory);
      let pieces: MetricPoints[] = [];
      let points = 0;
      for await (const piece of series) {
        points += piece.points.length;
        if (points <= MOST_OF_A_RUN) pieces.push(piece);
        else pieces = [];
        yield piece;
      }
      if (points > MOST_OF_A_RUN) return;
      kept.set(directory, { series: pieces, points });
      total += points;
      for (const oldest of kept.keys()) {
        if (total <= MOST_POINTS) break;
        take(oldest);
      }
    },
    take,
    clear() {
      kept.clear();
      total = 0;
    },
  };
}
