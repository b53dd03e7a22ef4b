import { type ChangeableDatabase, inPieces } from './database.ts';
import type { DatabaseAddress } from './database-address.ts';
import { connectMysql, MYSQL } from './mysql.ts';

/** Opens a MySQL or MariaDB database for changes of single rows. Throws as {@link connectMysql} does. */
export async function openMysqlToChange(address: DatabaseAddress): Promise<ChangeableDatabase> {
  const { rows, lists, change, close } = await connectMysql(address, [
    'SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED',
    // The experiment of id 0 is no request for the next number.
    "SET SESSION sql_mode = CONCAT(@@sql_mode, ',NO_AUTO_VALUE_ON_ZERO')",
  ]);
  return {
    dialect: MYSQL,
    greatestId: '2147483647',
    rows,
    async *stream(sql, parameters = []) {
      yield* inPieces(await lists(sql, parameters));
    },
    change,
    begin: async () => void (await change('START TRANSACTION')),
    commit: async () => void (await change('COMMIT')),
    rollback: async () => void (await change('ROLLBACK')),
    close,
  };
}
