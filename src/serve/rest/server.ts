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

/** Pages of MLflow ask whether they may tell their makers what is done with them: they may not. */
export const uiTelemetry: Handler = async () => ({
  json: { disable_ui_telemetry: true, disable_ui_events: [], ui_rollout_percentage: 0 },
});
