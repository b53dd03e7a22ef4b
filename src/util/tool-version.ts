import { readFileSync } from 'node:fs';

/** mlferry's version, from its package.json. Read by hand: it is needed before anything large is loaded. */
export const TOOL_VERSION = versionIn(readFileSync(new URL('../../package.json', import.meta.url), 'utf8'));

function versionIn(text: string): string {
  const json: unknown = JSON.parse(text);
  if (typeof json === 'object' && json !== null && 'version' in json && typeof json.version === 'string')
    return json.version;
  throw new TypeError('package.json has no version');
}
