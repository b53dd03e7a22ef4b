import { MlferryError } from '../../util/errors.ts';
import { redact } from '../../util/redact.ts';
import type { LocationText } from '../location-text.ts';

/** A tracking server by its address, or a Databricks workspace by its profile. */
export type ServerLocation =
  | { readonly kind: 'url'; readonly url: URL; readonly workspace: string | undefined }
  | { readonly kind: 'databricks'; readonly profile: string | undefined; readonly text: string };

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
  url.search = '';
  url.hash = '';
  return { kind: 'url', url, workspace };
}

/** `databricks` or `databricks://PROFILE`, as MLflow writes them (mlflow/utils/uri.py). */
function databricksLocation(text: string): ServerLocation {
  if (/^databricks$/i.test(text)) return { kind: 'databricks', profile: undefined, text };
  const profile = /^databricks:\/\/([^/:\s]+)\/?$/i.exec(text)?.[1];
  if (profile !== undefined) return { kind: 'databricks', profile, text };
  throw new MlferryError('LOCATION', `"${redact(text)}" is not of the form databricks://PROFILE`);
}
