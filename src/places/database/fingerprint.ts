import { createHash } from 'node:crypto';
import { type DatabaseLocation, databaseIdentity } from './location.ts';

/** Names a database in `mlferry.origin`, see `PlaceInfo`. */
export function fingerprintOf(place: DatabaseLocation): string {
  return createHash('sha256').update(databaseIdentity(place)).digest('hex').slice(0, 16);
}
