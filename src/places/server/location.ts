import type { Selection } from '../../model/selection.ts';
import { MlferryError } from '../../util/errors.ts';
import { redact } from '../../util/redact.ts';
import type { LocationText } from '../location-text.ts';

/** A choice that is part of an address. */
export type Shown = Partial<Pick<Selection, 'experiments' | 'runs'>>;

/** A tracking server by its address, or a Databricks workspace by its profile. */
export type ServerLocation =
  | {
      readonly kind: 'url';
      readonly url: URL;
      readonly workspace: string | undefined;
      /** What a page of MLflow's UI shows, where the address is that of a page. */
      readonly shown?: Shown | undefined;
    }
  | { readonly kind: 'databricks'; readonly profile: string | undefined; readonly text: string };

/**
 * The experiment or run that a page of MLflow's UI shows, by the path behind its `#`: `/experiments/1/runs/ID/artifacts`,
 * `/runs/ID`, `/experiments/1?searchFilter=…`, `/compare-runs?runs=["a","b"]&experiments=["1"]` (mlflow/server/js/src/experiment-tracking/routes.ts).
 */
function shownBy(hash: string): Shown | undefined {
  const [path = '', query = ''] = hash.replace(/^#\/?/, '').split('?');
  const parts = path.split('/').map(decodeURIComponent);
  const after = (name: string) => parts[parts.indexOf(name) + 1];
  const run = parts.includes('runs') ? after('runs') : undefined;
  if (run) return { runs: [run] };
  if (parts[0] === 'compare-runs') {
    const listed = jsonOf(new URLSearchParams(query).get('runs'));
    const runs = Array.isArray(listed) ? listed.filter((id) => typeof id === 'string') : [];
    return runs.length > 0 ? { runs } : undefined;
  }
  const experiment = parts[0] === 'experiments' ? parts[1] : undefined;
  return experiment ? { experiments: [experiment] } : undefined;
}

function jsonOf(text: string | null): unknown {
  try {
    return JSON.parse(text ?? '');
  } catch {
    return undefined;
  }
}

/** The server that a location names. Throws LOCATION for an address that is none. */
export function serverLocation({ text }: LocationText): ServerLocation | undefined {
  if (/^https?:/i.test(text)) return urlLocation(text);
  if (/^databricks(:|$)/i.test(text)) return databricksLocation(text);
  return undefined;
}

/** The address without credentials and slashes at the end, with its workspace. */
export function serverIdentity(location: ServerLocation): string {
  if (location.kind === 'databricks') return location.text;
  const { url, workspace } = location;
  const end = workspace === undefined ? '' : `?workspace=${encodeURIComponent(workspace)}`;
  return redact(`${url.protocol}//${url.host}${url.pathname.replace(/\/+$/, '')}${end}`);
}

function urlLocation(text: string): ServerLocation {
  if (!URL.canParse(text)) throw new MlferryError('LOCATION', `"${redact(text)}" is not a valid URL`);
  const url = new URL(text);
  const workspace = url.searchParams.get('workspace') ?? undefined;
  if (workspace === '') throw new MlferryError('LOCATION', `"${redact(text)}": the workspace has no name`);
  const shown = shownBy(url.hash);
  url.search = '';
  url.hash = '';
  return { kind: 'url', url, workspace, shown };
}

/** `databricks` or `databricks://PROFILE`, as MLflow writes them (mlflow/utils/uri.py). */
function databricksLocation(text: string): ServerLocation {
  if (/^databricks$/i.test(text)) return { kind: 'databricks', profile: undefined, text };
  const profile = /^databricks:\/\/([^/:\s]+)\/?$/i.exec(text)?.[1];
  if (profile !== undefined) return { kind: 'databricks', profile, text };
  throw new MlferryError('LOCATION', `"${redact(text)}" is not of the form databricks://PROFILE`);
}
