import type { PlaceTraits } from '../traits.ts';

/** An export: ids and files of the server that it was taken from, and no time of a deletion. */
export const EXPORT_TRAITS: PlaceTraits = {
  fileBytes: 'held',
  keepsIds: true,
  knowsDeletionTimes: false,
  ownFingerprint: false,
};
