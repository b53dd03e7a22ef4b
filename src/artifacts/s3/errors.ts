import { z } from 'zod';
import { type ErrorCode, MlferryError } from '../../util/errors.ts';

/** The part of the SDK's errors that counts. */
const sdkError = z.looseObject({
  name: z.string(),
  message: z.string().catch(''),
  code: z.string().optional().catch(undefined),
  $metadata: z.looseObject({ httpStatusCode: z.number().optional() }).optional().catch(undefined),
});

const HINT =
  'Check the credentials (AWS_PROFILE, AWS_ACCESS_KEY_ID, …), AWS_REGION and MLFLOW_S3_ENDPOINT_URL, and what they may do.';

/** An error of the SDK as one of mlferry's; `what` says what was asked for, `clean` takes secrets out. */
export function s3Error(error: unknown, what: string, clean: (text: string) => string): MlferryError {
  if (error instanceof MlferryError) return error;
  const parsed = sdkError.safeParse(error);
  const { name, message, code, $metadata } = parsed.success
    ? parsed.data
    : { name: 'unknown error', message: String(error), code: undefined, $metadata: undefined };
  if (name === 'AbortError') return new MlferryError('INTERRUPTED', 'Interrupted', { cause: error });
  const status = $metadata?.httpStatusCode;
  // A HEAD has no body that could tell more.
  const [first = ''] = message.split('\n');
  const reason = clean([code ?? name, first].filter((text) => text !== '' && text !== 'Unknown').join(': '));
  const make = (kind: ErrorCode, hint?: string) =>
    new MlferryError(kind, `${what}: ${reason}`, {
      cause: status === undefined ? undefined : { status },
      ...(hint === undefined ? {} : { hint }),
    });
  if (name === 'CredentialsProviderError' || name === 'TokenProviderError') return make('DENIED', HINT);
  if (status === 401 || status === 403) return make('DENIED', HINT);
  if (status === 404) return make('NOT_FOUND');
  if (status === 412) return make('SHORT_BODY');
  if (status === 429 || status === 503) return make('UNAVAILABLE');
  if (status !== undefined && status >= 500) return make('SERVER_ERROR');
  if (status !== undefined && status >= 300)
    return make('REFUSED', `${HINT} The store’s reason is in the message.`);
  return make('UNAVAILABLE', HINT);
}
