import type { PlaceOptions } from '../../place-options.ts';
import type { DatabaseLocation } from '../location.ts';
import type { Database } from './database.ts';
import { databaseAddress } from './database-address.ts';

/** Opens a database in one read-only snapshot, by its engine's own driver, which is loaded now. */
export async function openDatabase(place: DatabaseLocation, options: PlaceOptions): Promise<Database> {
  if (place.dialect === 'sqlite')
    return (await import('./sqlite.ts')).openSqlite(place.path, options.tempDir);
  const address = await databaseAddress(place, options);
  if (place.dialect === 'postgresql') return (await import('./postgresql.ts')).openPostgresql(address);
  return (await import('./mysql.ts')).openMysql(address, options.tempDir);
}
