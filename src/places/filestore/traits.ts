import type { PlaceTraits } from '../traits.ts';

/**
 * An `mlruns` directory. Runs deleted with their experiment have its last update time
 * (mlflow/store/tracking/file_store.py).
 */
export const FILESTORE_TRAITS: PlaceTraits = {
  fileBytes: 'held',
  keepsIds: false,
  knowsDeletionTimes: true,
  ownFingerprint: true,
};
