// All of these take time in proportion to the text: it may come from a server that means ill.
/** In Azure's `abfss://container@account` it is no credential. */
const USERINFO = /\b(?!(?:abfs|wasb)s?:\/\/[^/\s":@]{0,200}@)([a-z][a-z0-9+.-]{0,30}:\/\/)[^/\s"]{0,4000}@/gi;
/** `name:password@host` without a scheme, as in a mistyped URL. */
const BARE_USERINFO = /(^|[\s"'(])([^\s:/@"']{1,200}):[^\s/@"']{1,1000}@(?=[a-z0-9[])/gi;
const QUERY_VALUE = /([?&])([^=&?\s]{1,200})=[^&\s"']*/g;
const SECRET_NAME = /token|secret|password|signature|credential|key|^(?:sig|se|sp|sv)$/i;
/** A word of letters alone is no credential: `basic training` stays. */
const AUTHORIZATION = /\b(basic|bearer)\s{1,5}(?=[a-z+/._~-]{0,200}[0-9=])[a-z0-9+/=._~-]{6,}/gi;
/** A private key of age. */
const AGE_KEY = /\bAGE-SECRET-KEY-[a-z0-9-]{4,}/gi;
const DATABRICKS_TOKEN = /\bdapi[0-9a-f]{10,}(?:-\d)?/g;

/**
 * Takes user info, signed query values, Authorization values, Databricks tokens and keys of age out of a text meant for people or
 * files.
 */
export function redact(text: string): string {
  return text
    .replace(USERINFO, '$1***@')
    .replace(BARE_USERINFO, '$1***@')
    .replace(QUERY_VALUE, (all, mark: string, name: string) =>
      SECRET_NAME.test(name) ? `${mark}${name}=***` : all,
    )
    .replace(AUTHORIZATION, '$1 ***')
    .replace(DATABRICKS_TOKEN, '***')
    .replace(AGE_KEY, '***');
}

/**
 * A function that takes these very secrets out of a text: for what a server echoes without a mark by which
 * {@link redact} could know it. Secrets of fewer than 4 characters would spoil any text and are left to it.
 */
export function secretRemover(secrets: readonly string[]): (text: string) => string {
  const known = secrets.filter(({ length }) => length >= 4).sort((a, b) => b.length - a.length);
  return (text) => known.reduce((rest, secret) => rest.replaceAll(secret, '***'), text);
}

/** A URI without credentials; what is no URI with a host (a path, `file:///…`) stays as it is. */
export function redactUri(uri: string): string {
  return /^[a-z][a-z0-9+.-]*:\/\/[^/]/i.test(uri) ? redact(uri) : uri;
}
