import { z } from 'zod';
import { MlferryError } from '../../../util/errors.ts';
import type { Database } from '../connect/database.ts';
import { KNOWN, NEWEST } from '../connect/revisions.ts';
import type { DatabaseLocation } from '../location.ts';

/** The schema of MLflow 2.8 to 2.11: the oldest that is written. */
const OLDEST = 'acf3f17fdcc7';

const revisionRow = z.object({ version_num: z.string() });

/**
 * Throws UNSUPPORTED for a database whose schema is older than what is written here (`oldest`), and for one in the middle of an upgrade. It is
 * known to be one of MLflow's already.
 */
export async function mustBeWritable(
  database: Database,
  place: DatabaseLocation,
  oldest = OLDEST,
): Promise<void> {
  const rows = await database.rows('SELECT "version_num" FROM "alembic_version"');
  const [revision, ...others] = rows.map((row) => revisionRow.parse(row).version_num);
  const order = [...KNOWN];
  const known = revision === undefined ? -1 : order.indexOf(revision);
  if (others.length === 0 && known >= order.indexOf(oldest)) return;
  const uri = place.dialect === 'sqlite' ? `sqlite:///${place.path}` : place.name;
  throw new MlferryError(
    'UNSUPPORTED',
    `${place.name} has a schema that is not written to (revision ${[revision, ...others].join(', ')}): those of MLflow 2.8 to ${NEWEST} are`,
    { hint: `mlflow db upgrade ${uri} brings it up to date; make a copy of it before.` },
  );
}
