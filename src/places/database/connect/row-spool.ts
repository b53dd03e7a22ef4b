import { z } from 'zod';
import { toJson } from '../../../model/json.ts';
import { createByteSpool } from '../../../util/byte-spool.ts';
import { MlferryError } from '../../../util/errors.ts';
import { PIECE } from './database.ts';

type Rows = ReadonlyArray<readonly unknown[]>;

const rowList = z.array(z.array(z.unknown()));

/** Rows of a result that has to be read at once: few in memory, the rest in a temporary file. */
export interface RowSpool {
  fill(rows: AsyncIterable<unknown>): Promise<void>;
  /** What was filled in, in pieces. */
  pieces(): AsyncGenerator<Rows>;
  remove(): Promise<void>;
}

/** An empty {@link RowSpool}. Its values are texts, numbers and null. */
export function createRowSpool(tempDir: string): RowSpool {
  const spool = createByteSpool(tempDir);
  /** Where each piece ends. */
  const ends: number[] = [];
  const add = async (piece: readonly unknown[]) => {
    await spool.append(Buffer.from(toJson(piece)));
    ends.push(spool.length());
  };
  return {
    async fill(rows) {
      let piece: unknown[] = [];
      for await (const row of rows) {
        piece.push(row);
        if (piece.length < PIECE) continue;
        await add(piece);
        piece = [];
      }
      if (piece.length > 0) await add(piece);
    },
    async *pieces() {
      let start = 0;
      for (const end of ends) {
        const chunks: Buffer[] = [];
        for await (const bytes of spool.read(start, end)) chunks.push(Buffer.from(bytes));
        const parsed = rowList.safeParse(JSON.parse(Buffer.concat(chunks).toString()));
        if (!parsed.success) throw new MlferryError('BUG', 'A spool of rows does not hold what was put in');
        yield parsed.data;
        start = end;
      }
    },
    remove: () => spool.remove(),
  };
}
