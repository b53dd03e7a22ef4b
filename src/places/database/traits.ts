import type { PlaceTraits } from '../traits.ts';

/** A database holds records; files are in artifact stores. `deleted_time` and `last_update_time` are columns of it. */
export const DATABASE_TRAITS: PlaceTraits = {
  fileBytes: 'elsewhere',
  keepsIds: false,
  knowsDeletionTimes: true,
  overwritesDeletionTimes: true,
  ownFingerprint: true,
};
