import { createHash, timingSafeEqual } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { isIP } from 'node:net';
import { Refusal } from './refusal.ts';

/** Who may ask. */
export interface GuardOptions {
  /** What the server listens on. */
  readonly host: string;
  /** Further names by which it may be called. */
  readonly allowedHosts: readonly string[];
  /** Asked of every request, as a bearer token or as a password. */
  readonly token?: string | undefined;
}

const LOOPBACK = ['localhost', '127.0.0.1', '::1'];

/** Whether only this machine can reach what listens on a host. */
export const isLoopback = (host: string): boolean => LOOPBACK.includes(host) || /^127\./.test(host);

/** Headers of every answer: no other site may frame it, read it, or have it taken for another type. */
export const SAFE_HEADERS: Readonly<Record<string, string>> = {
  'X-Content-Type-Options': 'nosniff',
  'X-Frame-Options': 'DENY',
  'Referrer-Policy': 'no-referrer',
  'Cross-Origin-Resource-Policy': 'same-origin',
  'Cross-Origin-Opener-Policy': 'same-origin',
  'Cache-Control': 'no-store',
};

/** For all that is no page: nothing in it is ever run, whatever a browser takes it for. */
export const NO_PAGE = "default-src 'none'; frame-ancestors 'none'; sandbox";

/** Makes a check of requests. It throws what a request must not be answered for. */
export function createGuard({ host, allowedHosts, token }: GuardOptions): (request: IncomingMessage) => void {
  const names = new Set(
    [host, ...allowedHosts, ...(isLoopback(host) ? LOOPBACK : [])].map((name) => name.toLowerCase()),
  );
  // Where it listens on all addresses it is called by any of them; only a name can be made to lead here by another site.
  const anyAddress = host === '0.0.0.0' || host === '::';
  return (request) => {
    const called = hostOf(request.headers.host);
    if (
      called === undefined ||
      !(names.has(called) || (anyAddress && (isIP(called) > 0 || LOOPBACK.includes(called))))
    )
      throw new Refusal(
        'PERMISSION_DENIED',
        'The Host header names another host than this server: if it is right, name it with --allowed-host',
      );
    if (isFromElsewhere(request))
      throw new Refusal('PERMISSION_DENIED', 'Pages of other sites are not answered');
    if (token !== undefined && !isAuthorized(request.headers.authorization, token))
      throw new Refusal(
        'UNAUTHENTICATED',
        'This server wants its token: as a bearer token, or as the password of any user',
      );
  };
}

/** The name in a Host header, without port and brackets. */
function hostOf(header: string | undefined): string | undefined {
  return /^(?:\[([0-9a-f:.]+)\]|([^:\s]+))(?::\d+)?$/i
    .exec(header ?? '')
    ?.slice(1)
    .find((name) => name !== undefined)
    ?.toLowerCase();
}

/** Browsers say where a request comes from; a person who follows a link from elsewhere is welcome. */
function isFromElsewhere({ headers, method }: IncomingMessage): boolean {
  const { origin, host } = headers;
  if (origin !== undefined && originHost(origin) !== host?.toLowerCase()) return true;
  const site = headers['sec-fetch-site'];
  if (site !== 'cross-site' && site !== 'same-site') return false;
  return !(
    headers['sec-fetch-mode'] === 'navigate' &&
    headers['sec-fetch-dest'] === 'document' &&
    method === 'GET'
  );
}

function originHost(origin: string): string | undefined {
  try {
    return new URL(origin).host;
  } catch {
    return undefined;
  }
}

function isAuthorized(header: string | undefined, token: string): boolean {
  const [, scheme = '', credentials = ''] = /^(\w+) +(.+)$/.exec(header ?? '') ?? [];
  if (/^bearer$/i.test(scheme)) return isSame(credentials, token);
  if (!/^basic$/i.test(scheme)) return false;
  const [, password = ''] = /^[^:]*:(.*)$/s.exec(Buffer.from(credentials, 'base64').toString()) ?? [];
  return isSame(password, token);
}

/** Takes as long whatever is different. */
function isSame(given: string, token: string): boolean {
  const digest = (text: string) => createHash('sha256').update(text).digest();
  return timingSafeEqual(digest(given), digest(token));
}
