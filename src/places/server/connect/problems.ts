import { z } from 'zod';
import { MlferryError, systemCode } from '../../../util/errors.ts';
import { plainText } from '../../../util/plain-text.ts';
import { redact } from '../../../util/redact.ts';

/** What a server said when it refused: kept as the `cause` of the error. */
export interface ServerAnswer {
  readonly status: number;
  /** MLflow's own code (`RESOURCE_ALREADY_EXISTS` …), when the answer was MLflow's JSON. */
  readonly error_code: string | undefined;
  readonly message: string;
}

/** A request that failed, and whether to send it again. */
export interface Problem {
  readonly error: MlferryError;
  /** Most repeats that make sense; the retry policy may allow fewer. */
  readonly repeats: number;
  /** Whether the server may have done what was asked. */
  readonly perhapsDone: boolean;
  /** Whether the server has more to do than it can: fewer requests at once may help. */
  readonly overload?: boolean;
  /** ms that the server asked to wait. */
  readonly retryAfter?: number;
}

const answerOf = z.object({ status: z.int(), error_code: z.string().optional(), message: z.string() });
const errorJson = z.object({
  error_code: z.union([z.string(), z.number()]).optional(),
  message: z.string().optional(),
});

/** The server's answer behind an error thrown by the client, if the server gave one. */
export function serverAnswer(error: unknown): ServerAnswer | undefined {
  if (!(error instanceof MlferryError)) return undefined;
  const { data } = answerOf.safeParse(error.cause);
  return data && { ...data, error_code: data.error_code };
}

/** How a request is named in messages, and with whose credentials it went. */
export interface RequestContext {
  /** `GET /api/2.0/mlflow/runs/get at http://host`; no query, no credentials. */
  readonly name: string;
  /** Where the credentials came from; `undefined` when none were sent. */
  readonly credentials: string | undefined;
  /** What to do where there are none and the server wants some. */
  readonly missing: string;
}

/** Passing trouble of the server's database, which MLflow answers with 400 or 500 (SQLAlchemy's pool: seen with 3.17.2). */
const BUSY_DATABASE =
  /QueuePool limit|database is locked|deadlock|could not serialize|too many (clients|connections)/i;

const TOO_LARGE =
  'A proxy before the server limits the size of a request (nginx: client_max_body_size, 1 MB unless it is set): raise it there, then run the same command again.';

/** What an answer other than 2xx means. `body`: its beginning. */
export function refusal(context: RequestContext, status: number, body: string): Problem {
  const parsed = parseError(body);
  const reason = parsed?.message ?? plainReason(body);
  const answer: ServerAnswer = {
    status,
    error_code: parsed?.error_code,
    message: plainText(redact(reason), 1000),
  };
  const problem = (code: MlferryError['code'], text: string, repeats = 0, hint?: string): Problem => ({
    error: new MlferryError(code, `${context.name}: ${text}`, {
      cause: answer,
      ...(hint === undefined ? {} : { hint }),
    }),
    repeats,
    perhapsDone: status >= 500,
  });
  const told = `${status}${answer.error_code === undefined ? '' : ` ${answer.error_code}`}: ${answer.message}`;
  if (status === 401) {
    const hint = context.credentials === undefined ? context.missing : undefined;
    return problem('DENIED', whichCredentials(context, answer.message), 0, hint);
  }
  if (status === 403 && /invalid host header/i.test(body)) {
    return problem(
      'DENIED',
      told,
      0,
      'The server answers only to host names it knows: start it with --allowed-hosts, or use its own address.',
    );
  }
  if (answer.error_code === 'FEATURE_DISABLED' || status === 501 || /--no-serve-artifacts/.test(body)) {
    return problem('UNSUPPORTED', told);
  }
  if (status === 403) return problem('DENIED', `${told} (${credentialsSent(context)})`);
  if (status === 404 || status === 405) {
    const known = answer.error_code !== undefined && answer.error_code !== 'ENDPOINT_NOT_FOUND';
    return known
      ? problem('NOT_FOUND', told)
      : problem('UNSUPPORTED', `${status}: the server has no such endpoint`);
  }
  if (status === 408 || status === 429 || status === 502 || status === 503 || status === 504) {
    return { ...problem('UNAVAILABLE', told, Number.POSITIVE_INFINITY), overload: status !== 502 };
  }
  if (BUSY_DATABASE.test(answer.message)) {
    return { ...problem('UNAVAILABLE', told, Number.POSITIVE_INFINITY), perhapsDone: true, overload: true };
  }
  if (status === 413) return problem('REFUSED', told, 0, TOO_LARGE);
  if (status >= 500) return problem('SERVER_ERROR', told, 2);
  if (status >= 400) return problem('REFUSED', told);
  return problem('NOT_MLFLOW', `unexpected status ${told}`);
}

function parseError(
  body: string,
): { error_code: string | undefined; message: string | undefined } | undefined {
  try {
    const { data } = errorJson.safeParse(JSON.parse(body));
    return data && { error_code: data.error_code?.toString(), message: data.message };
  } catch {
    return undefined;
  }
}

function plainReason(body: string): string {
  const text = body
    .replace(/<style.*?<\/style>|<[^>]*>/gs, ' ')
    .replace(/\s+/g, ' ')
    .trim();
  if (text === '') return 'no reason given';
  return text.length > 300 ? `${text.slice(0, 300)}…` : text;
}

function credentialsSent({ credentials }: RequestContext): string {
  return credentials === undefined ? 'no credentials were sent' : `with the credentials from ${credentials}`;
}

function whichCredentials(context: RequestContext, reason: string): string {
  if (context.credentials === undefined) return '401: the server wants credentials and none were given';
  return `401: the server did not accept the credentials from ${context.credentials} (${reason})`;
}

const NEVER_CONNECTED = new Set([
  'ECONNREFUSED',
  'ENOTFOUND',
  'EAI_AGAIN',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'UND_ERR_CONNECT_TIMEOUT',
]);
const LOST = new Set([
  'ECONNRESET',
  'EPIPE',
  'ETIMEDOUT',
  'UND_ERR_SOCKET',
  'UND_ERR_HEADERS_TIMEOUT',
  'UND_ERR_BODY_TIMEOUT',
  'UND_ERR_RES_CONTENT_LENGTH_MISMATCH',
]);
const TIMED_OUT = new Set([
  'ETIMEDOUT',
  'UND_ERR_CONNECT_TIMEOUT',
  'UND_ERR_HEADERS_TIMEOUT',
  'UND_ERR_BODY_TIMEOUT',
]);

/** What an error below HTTP means: no connection, a lost one, TLS, an abort. */
export function transportProblem(context: RequestContext, error: unknown): Problem {
  if (error instanceof MlferryError) return { error, repeats: 0, perhapsDone: true };
  const code = errorCode(error);
  const reason = redact(
    error instanceof Error && error.message !== '' ? error.message : (code ?? String(error)),
  );
  const problem = (
    kind: MlferryError['code'],
    text: string,
    repeats: number,
    perhapsDone: boolean,
    hint?: string,
  ): Problem => ({
    error: new MlferryError(kind, `${context.name}: ${text}`, {
      cause: error,
      ...(hint === undefined ? {} : { hint }),
    }),
    repeats,
    perhapsDone,
    overload: code !== undefined && TIMED_OUT.has(code),
  });
  if (error instanceof Error && error.name === 'AbortError')
    return problem('INTERRUPTED', 'interrupted', 0, true);
  if (code === 'UND_ERR_REQ_CONTENT_LENGTH_MISMATCH') {
    return problem('SHORT_BODY', 'the bytes to send were fewer or more than announced', 0, false);
  }
  if (code !== undefined && /CERT|SIGNATURE|SSL|TLS/.test(code)) {
    return problem(
      'UNAVAILABLE',
      `TLS: ${reason}`,
      0,
      false,
      'Give the server’s CA with --from-ca or --to-ca, and a client certificate with --from-client-cert or --to-client-cert.',
    );
  }
  if (code === 'UND_ERR_HEADERS_OVERFLOW')
    return problem('NOT_MLFLOW', 'the answer has more headers than any server sends', 0, true);
  // undici gives an error of its parser no code.
  if (code?.startsWith('HPE_') || (error instanceof Error && error.name === 'HTTPParserError'))
    return problem('NOT_MLFLOW', `the answer is not HTTP (${reason})`, 2, true);
  if (code !== undefined && NEVER_CONNECTED.has(code))
    return problem('UNAVAILABLE', reason, Number.POSITIVE_INFINITY, false);
  if (code !== undefined && LOST.has(code)) {
    return problem('UNAVAILABLE', `the connection was lost (${reason})`, Number.POSITIVE_INFINITY, true);
  }
  return problem('BUG', reason, 0, true);
}

/** The code of a system or undici error; an AggregateError (one per address tried) has that of its first. */
function errorCode(error: unknown): string | undefined {
  if (error instanceof AggregateError && systemCode(error) === undefined) return systemCode(error.errors[0]);
  return systemCode(error);
}

/** Whether the server refused because its database holds the row already: a point sent twice, two runs' new dataset at once. */
export function isDuplicate(error: unknown): boolean {
  const { error_code, message } = serverAnswer(error) ?? {};
  return error_code === 'BAD_REQUEST' && /unique|duplicate|integrity/i.test(message ?? '');
}
