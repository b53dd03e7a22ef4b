import { createHash } from 'node:crypto';

/** A folder name that any store keeps, for any registered name. */
export function registeredFolder(name: string): string {
  const plain = name.replace(/[^A-Za-z0-9._-]+/g, '_').slice(0, 60);
  return `${plain}-${createHash('sha256').update(name).digest('hex').slice(0, 12)}`;
}
