import { randomUUID } from 'node:crypto';
import { createConnection } from 'mysql2/promise';
import type { Database } from './postgresql.ts';

const ADDRESS = { host: '127.0.0.1', port: 3306, user: 'root', password: '' };

/** Whether {@link createMariadb} can work: a server on 127.0.0.1:3306 (user root, no password). */
export async function hasMariadb(): Promise<boolean> {
  try {
    await (await createConnection(ADDRESS)).end();
    return true;
  } catch {
    return false;
  }
}

async function execute(sql: string): Promise<void> {
  const connection = await createConnection(ADDRESS);
  try {
    await connection.query(sql);
  } finally {
    await connection.end();
  }
}

/** An empty database of a test's own. */
export async function createMariadb(): Promise<Database> {
  const name = `mlferry_test_${randomUUID().replaceAll('-', '')}`;
  await execute(`CREATE DATABASE ${name} CHARACTER SET utf8mb4`);
  return {
    uri: `mysql+pymysql://root@127.0.0.1:3306/${name}`,
    drop: () => execute(`DROP DATABASE IF EXISTS ${name}`),
  };
}
