import { locate } from '../kinds/remap-object.ts';

/**
 * Where files are for clients: below `mlflow-artifacts:/`, in a path that says whose they are. An id in it is only
 * ever looked up: no path of this machine is made of it.
 */

const uri = (...segments: readonly string[]) => `mlflow-artifacts:/${segments.map(toSegment).join('/')}`;

/** Clients send roots as paths and as parameters, encoded once or twice: nothing in a segment is ever encoded. */
const toSegment = (id: string) => (/^[\w-]+$/.test(id) ? id : `~${Buffer.from(id).toString('base64url')}`);
const fromSegment = (segment = '') =>
  segment.startsWith('~') ? Buffer.from(segment.slice(1), 'base64url').toString() : segment;

export const rootOfExperiment = (experiment_id: string) => uri(experiment_id);
export const rootOfRun = (experiment_id: string, run_id: string) => uri(experiment_id, run_id, 'artifacts');
export const rootOfModel = (experiment_id: string, model_id: string) =>
  uri(experiment_id, 'models', model_id, 'artifacts');
/** `older`: for clients that read `traces.json` as MLflow 2 wrote it. */
export const rootOfTrace = (experiment_id: string, trace_id: string, older = false) =>
  uri(experiment_id, older ? 'older-traces' : 'traces', trace_id, 'artifacts');
export const rootOfVersion = (name: string, version: string) =>
  uri('model-versions', name, version, 'artifacts');

/** Whose files a path below `mlflow-artifacts:/` names, and which of them; `undefined` for a path that names none. */
export function ownerOfPath(path: string):
  | {
      readonly owner: 'run' | 'model' | 'trace' | 'older trace' | 'version';
      readonly id: string;
      readonly rest: string;
    }
  | undefined {
  const segments = path.split('/').filter((segment) => segment !== '');
  const [first, second, third, fourth] = segments;
  const rest = (from: number) => segments.slice(from).join('/');
  if (third === 'artifacts') return { owner: 'run', id: fromSegment(second), rest: rest(3) };
  if (fourth !== 'artifacts') return undefined;
  const id = fromSegment(third);
  if (second === 'models') return { owner: 'model', id, rest: rest(4) };
  if (second === 'traces') return { owner: 'trace', id, rest: rest(4) };
  if (second === 'older-traces') return { owner: 'older trace', id, rest: rest(4) };
  if (first === 'model-versions')
    return { owner: 'version', id: `${fromSegment(second)}/${id}`, rest: rest(4) };
  return undefined;
}

/** The source of a version of a registered model, in the roots of what the place holds. */
export function servedSource(
  source: string,
  rootOf: (kind: string, id: string) => string | undefined,
): string {
  const has = (kind: string, id: string) => rootOf(kind, id) !== undefined;
  if (/^(?:runs|models):/.test(source)) return source;
  const [, run_id, path = ''] = /^runs:\/([^/]+)(?:\/(.*))?$/.exec(locate(source, has)) ?? [];
  if (run_id !== undefined) return `${rootOf('run', run_id)}${path === '' ? '' : `/${path}`}`;
  const [, model_id = ''] = /^models:\/(.+)$/.exec(locate(source, has)) ?? [];
  return rootOf('logged_model', model_id) ?? source;
}
