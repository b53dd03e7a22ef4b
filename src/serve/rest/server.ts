import type { Handler } from '../context.ts';

/** The version of MLflow whose API is answered: clients go by it. */
export const SERVED_VERSION = '3.17.2';

export const version: Handler = async () => ({ text: SERVED_VERSION });
export const health: Handler = async () => ({ text: 'OK' });

/** As a server with a database: the kinds of objects that only those have are told too. mlferry learns whose records these are. */
export const serverInfo: Handler = async ({ place }) => ({
  json: {
    mlferry_serves: place.info.fingerprint,
    store_type: 'SqlStore',
    workspaces_enabled: false,
    trace_archival_enabled: false,
    multipart_uploads_enabled: false,
    multipart_downloads_enabled: false,
    features_enabled: { gateway: false },
  },
});
