import pLimit from 'p-limit';
import { includesPoint, type Points, pointsOf, slicePoints } from '../../model/points.ts';
import { pointsToJson, scanPoints } from '../../model/points-json.ts';
import { MAX_POINTS, metrics, type Point } from '../../model/records.ts';
import { createByteSpool } from '../../util/byte-spool.ts';

/** Points that may be held in memory; shared by the stores of one reader. About 40 bytes each. */
export interface PointBudget {
  free: number;
}

/** One history on its way, in memory or spooled. */
export interface PointSequence {
  /** Points appended so far. */
  readonly count: number;
  /** Whether the point that the run showed as the latest is among them: a history without it is not whole. */
  readonly hasLatest: boolean;
  append(points: Points): Promise<void>;
  /** Forgets all points after the first `count`; used when an answer broke off and is asked for again. */
  cutBack(mark: number): void;
  /** How many pieces there are now, for {@link cutBack}. */
  mark(): number;
  /** The points in pieces of at most 1000. */
  pieces(): AsyncGenerator<Points>;
  /** Gives the memory back; the sequence is empty then. */
  drop(): void;
}

/** Histories of a group of runs: in memory as far as the budget goes, the rest in a temporary file. */
export interface PointStore {
  /** An empty sequence, for the history whose latest point is `latest` where that is told. */
  sequence(latest?: Point): PointSequence;
  /** Gives memory and file back. */
  close(): Promise<void>;
}

type Piece =
  | { readonly points: Points }
  | { readonly count: number; readonly start: number; readonly end: number };

const pointList = metrics.shape.points;

/** An empty {@link PointStore}. Throws NO_SPACE from `append` on a full disk. */
export function createPointStore(tempDir: string, budget: PointBudget): PointStore {
  const spool = createByteSpool(tempDir);
  // The spool takes one caller at a time.
  const alone = pLimit(1);
  const sequences = new Set<PointSequence>();

  async function spooled(points: Points): Promise<Piece> {
    const bytes = Buffer.from(pointsToJson(points));
    return alone(async () => {
      const start = spool.length();
      await spool.append(bytes);
      return { count: points.length, start, end: start + bytes.length };
    });
  }

  async function load({ start, end }: { start: number; end: number }): Promise<Points> {
    const bytes = await alone(async () => {
      const chunks: Uint8Array[] = [];
      // The spool's bytes are valid only until more is appended, hence the copies.
      for await (const chunk of spool.read(start, end)) chunks.push(Uint8Array.from(chunk));
      return Buffer.concat(chunks);
    });
    return (
      scanPoints(bytes, 0, MAX_POINTS)?.points ??
      pointsOf(pointList.parse(JSON.parse(bytes.toString('utf8'))))
    );
  }

  function sequence(latest?: Point): PointSequence {
    let pieces: Piece[] = [];
    let count = 0;
    let hasLatest = false;
    const forget = (piece: Piece) => {
      count -= 'points' in piece ? piece.points.length : piece.count;
      if ('points' in piece) budget.free += piece.points.length;
    };
    const self: PointSequence = {
      get count() {
        return count;
      },
      get hasLatest() {
        return hasLatest;
      },
      append: async (points) => {
        hasLatest ||= latest !== undefined && includesPoint(points, latest);
        for (let from = 0; from < points.length; from += MAX_POINTS) {
          const part = slicePoints(points, from, from + MAX_POINTS);
          const inMemory = budget.free >= part.length;
          if (inMemory) budget.free -= part.length;
          pieces.push(inMemory ? { points: part } : await spooled(part));
          count += part.length;
        }
      },
      mark: () => pieces.length,
      cutBack: (mark) => {
        for (const piece of pieces.splice(mark)) forget(piece);
      },
      pieces: async function* () {
        for (const piece of pieces) yield 'points' in piece ? piece.points : await load(piece);
      },
      drop: () => {
        for (const piece of pieces) forget(piece);
        pieces = [];
        sequences.delete(self);
      },
    };
    sequences.add(self);
    return self;
  }

  return {
    sequence,
    close: async () => {
      for (const held of sequences) held.drop();
      await alone(() => spool.remove());
    },
  };
}
