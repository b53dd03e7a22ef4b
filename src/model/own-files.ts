/** The artifacts that mlferry adds to a run; docs/compatibility.md describes them. */

/** All of them are below this. */
export const OWN_DIRECTORY = 'mlferry/';
/** What a run lost to limits, in full. */
export const OVERSIZE_FILE = 'mlferry/oversize.json';
export const REFUSED_METRICS_FILE = 'mlferry/metrics.ndjson';
/** Logged models of a run whose place has none, and its links to models. */
export const MODELS_FILE = 'mlferry/logged_models.json';
export const RENAMED_FILE = 'mlferry/renamed.json';
export const RENAMED_DIRECTORY = 'mlferry/renamed';
/** Files of model versions that nothing else on a server has. */
export const REGISTERED_DIRECTORY = 'mlferry/registered-models';
