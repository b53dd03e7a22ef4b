import { existsSync } from 'node:fs';
import { MlferryError } from '../../../util/errors.ts';
import type { PlaceOptions, WriterOptions } from '../../place-options.ts';
import type { DatabaseLocation } from '../location.ts';
import type { ChangeableDatabase, WritableDatabase } from './database.ts';
import { databaseAddress } from './database-address.ts';

/** Opens a database for writing, by its engine's own driver, which is loaded now. A file that is not there is made with `init`, else LOCATION. */
export async function openWritable(
  place: DatabaseLocation,
  options: PlaceOptions & Pick<WriterOptions, 'init' | 'dryRun'>,
): Promise<WritableDatabase> {
  if (place.dialect === 'sqlite') {
    const { noSuchFile, openSqliteToWrite } = await import('./write-sqlite.ts');
    const { init = false, dryRun } = options;
    const isThere = existsSync(place.path);
    if (!isThere && !init) throw noSuchFile(place.path);
    // In a dry run nothing is made.
    return openSqliteToWrite(isThere || !dryRun ? place.path : ':memory:');
  }
  if (place.dialect === 'postgresql') {
    const address = await databaseAddress(place, options);
    return (await import('./write-postgresql.ts')).openPostgresqlToWrite(address);
  }
  throw new MlferryError('UNSUPPORTED', `${place.name}: databases on MySQL are only read so far`, {
    hint: 'Start a server on it (mlflow server) and name that, or write to SQLite or PostgreSQL.',
  });
}

/** Opens a database for changes of single rows, see {@link openWritable}; one on MySQL, too. */
export async function openChangeable(
  place: DatabaseLocation,
  options: PlaceOptions,
): Promise<ChangeableDatabase> {
  if (place.dialect !== 'mysql') return openWritable(place, { ...options, dryRun: false });
  const address = await databaseAddress(place, options);
  return (await import('./change-mysql.ts')).openMysqlToChange(address);
}
