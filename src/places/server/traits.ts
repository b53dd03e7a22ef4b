import type { PlaceTraits } from '../traits.ts';

/** A tracking server. It sets the times of deletions itself, and revives all runs with their experiment. */
export const SERVER_TRAITS: PlaceTraits = {
  fileBytes: 'elsewhere',
  keepsIds: false,
  knowsDeletionTimes: false,
  ownFingerprint: true,
};
