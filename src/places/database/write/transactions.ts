import { setImmediate as turn } from 'node:timers/promises';
import { endsJob } from '../../../util/ends-job.ts';
import { asMlferryError, MlferryError, systemCode } from '../../../util/errors.ts';
import type { ChangeableDatabase } from '../connect/database.ts';

/** Work on a database, of which all or nothing is done. */
interface Work {
  readonly rows: number;
  readonly task: () => Promise<void>;
  readonly done: () => void;
  readonly failed: (error: unknown) => void;
}

/** Work in transactions, one after another; what waits at the same time shares one. */
export interface Transactions {
  /** Does it; when the promise resolves it is in the database for good. `rows`: about how many it writes. */
  run<T>(rows: number, task: () => Promise<T>): Promise<T>;
  /** Resolves when nothing is left to do. */
  settled(): Promise<void>;
}

/** Rows of one transaction: servers on the same database wait no longer than it takes to write them. */
const MOST_ROWS = 20_000;

/** As many rows as no other work shares a transaction with: for what takes a lock that others may wait for. */
export const ALONE = MOST_ROWS;

/** Turns of the event loop in which others may come along: a transaction costs what its end costs, the disk's answer. */
const TURNS = 3;

/** How often a transaction is begun that gave way to another one. */
const MOST_TRIES = 10;

/** Two transactions waited for each other, and the engine ended this one (SQLSTATE class 40). */
function isDeadlock(error: unknown): boolean {
  const code = error instanceof MlferryError ? systemCode(error.cause) : undefined;
  return code !== undefined && /^40|^ER_LOCK_DEADLOCK$/.test(code);
}

/** See {@link Transactions}. An error of one work undoes that one alone, unless it ends the job. */
export function createTransactions(database: ChangeableDatabase): Transactions {
  const waiting: Work[] = [];
  let working: Promise<void> | undefined;

  const next = (): Work[] => {
    let rows = 0;
    const end = waiting.findIndex((work, index) => {
      rows += work.rows;
      return index > 0 && rows > MOST_ROWS;
    });
    return waiting.splice(0, end === -1 ? waiting.length : end);
  };

  /** Does what it can of some work in one transaction; the answer tells how each ends when the transaction has. */
  const inOne = async (works: readonly Work[]): Promise<Array<() => void>> => {
    const ends: Array<() => void> = [];
    await database.begin();
    for (const { task, done, failed } of works) {
      await database.change('SAVEPOINT "work"');
      try {
        await task();
        await database.change('RELEASE SAVEPOINT "work"');
        ends.push(done);
      } catch (error) {
        if (endsJob(asMlferryError(error), ['BUG'])) throw error;
        await database.change('ROLLBACK TO SAVEPOINT "work"');
        await database.change('RELEASE SAVEPOINT "work"');
        ends.push(() => failed(error));
      }
    }
    await database.commit();
    return ends;
  };

  const workOff = async () => {
    while (waiting.length > 0) {
      for (let count = 0; count < TURNS; count++) await turn();
      const works = next();
      for (let tries = 1; ; tries++) {
        try {
          for (const end of await inOne(works)) end();
          break;
        } catch (error) {
          await database.rollback().catch(() => undefined);
          if (isDeadlock(error) && tries < MOST_TRIES) continue;
          for (const { failed } of works) failed(error);
          break;
        }
      }
    }
    working = undefined;
  };

  return {
    run: (rows, task) =>
      new Promise((resolve, reject) => {
        let result: Awaited<ReturnType<typeof task>>;
        waiting.push({
          rows,
          task: async () => {
            result = await task();
          },
          done: () => resolve(result),
          failed: reject,
        });
        working ??= workOff();
      }),
    settled: async () => working,
  };
}
