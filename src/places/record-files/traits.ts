import type { PlaceTraits } from '../traits.ts';

/** Archives and streams: records as their source gave them, and only what was carried. */
export const RECORD_TRAITS: PlaceTraits = {
  fileBytes: 'where hashed',
  keepsIds: true,
  knowsDeletionTimes: false,
  ownFingerprint: false,
};
