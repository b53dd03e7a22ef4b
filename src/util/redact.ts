const USERINFO = /([a-z][a-z0-9+.-]*:\/\/)[^/\s@]*@/gi;
const QUERY_SECRETS =
  /([?&](?:[^=&\s]*(?:token|secret|password|signature|credential|key)[^=&\s]*|sig|se|sp|sv)=)[^&\s"']*/gi;
const AUTHORIZATION = /\b(basic|bearer)\s+[a-z0-9+/=._~-]{6,}/gi;

/** Takes user info, signed query values and Authorization values out of a text meant for people or files. */
export function redact(text: string): string {
  return text.replace(USERINFO, '$1***@').replace(QUERY_SECRETS, '$1***').replace(AUTHORIZATION, '$1 ***');
}
