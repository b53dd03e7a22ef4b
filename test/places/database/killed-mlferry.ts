import { writeFileSync } from 'node:fs';
import { DatabaseSync, StatementSync } from 'node:sqlite';

// The command line in a process of its own that dies before a statement on its database:
// `node killed-mlferry.ts NUMBER FILE ARGUMENTS`. FILE gets the statements but for the rows of metrics, as `[number, SQL]`.
const [, , number = '', list = '', ...args] = process.argv;
let count = 0;
const statements: Array<[number: number, sql: string]> = [];

/** Has a method that changes a database count, and die in time. */
function counted(prototype: object, name: string, sqlOf: (self: unknown, args: unknown[]) => string): void {
  const original: unknown = Reflect.get(prototype, name);
  if (typeof original !== 'function') throw new Error(`There is no ${name}`);
  Reflect.set(prototype, name, function (this: unknown, ...given: unknown[]) {
    count += 1;
    if (count === Number(number)) process.kill(process.pid, 'SIGKILL');
    const sql = sqlOf(this, given);
    if (!sql.startsWith('INSERT INTO "metrics"')) statements.push([count, sql]);
    return Reflect.apply(original, this, given);
  });
}

counted(DatabaseSync.prototype, 'exec', (_, [sql]) => String(sql));
counted(StatementSync.prototype, 'run', (self) =>
  String(self instanceof StatementSync ? self.sourceSQL : ''),
);
process.on('exit', () => writeFileSync(list, JSON.stringify({ count, statements })));
const { main } = await import('../../../src/cli/main.ts');
await main(['node', 'mlferry', ...args]);
