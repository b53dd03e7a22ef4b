import { existsSync } from 'node:fs';
import { MlferryError } from '../../../util/errors.ts';
import type { PlaceOptions } from '../../place-options.ts';
import type { DatabaseLocation } from '../location.ts';
import type { WritableDatabase } from './database.ts';
import { databaseAddress } from './database-address.ts';

/** Opens a database for writing, by its engine's own driver, which is loaded now. Throws LOCATION for a file that is not there. */
export async function openWritable(
  place: DatabaseLocation,
  options: PlaceOptions,
): Promise<WritableDatabase> {
  if (place.dialect === 'sqlite') {
    const { noSuchFile, openSqliteToWrite } = await import('./write-sqlite.ts');
    if (!existsSync(place.path)) throw noSuchFile(place.path);
    return openSqliteToWrite(place.path);
  }
  if (place.dialect === 'postgresql') {
    const address = await databaseAddress(place, options);
    return (await import('./write-postgresql.ts')).openPostgresqlToWrite(address);
  }
  throw new MlferryError('UNSUPPORTED', `${place.name}: databases on MySQL are only read so far`, {
    hint: 'Start a server on it (mlflow server) and name that, or write to SQLite or PostgreSQL.',
  });
}
