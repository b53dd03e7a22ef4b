import { asMlferryError, type ErrorCode, MlferryError } from '../util/errors.ts';

/** MLflow's error codes and their HTTP statuses (mlflow/exceptions.py), as far as they are answered here. */
const STATUSES = {
  INVALID_PARAMETER_VALUE: 400,
  RESOURCE_DOES_NOT_EXIST: 404,
  ENDPOINT_NOT_FOUND: 404,
  PERMISSION_DENIED: 403,
  UNAUTHENTICATED: 401,
  TEMPORARILY_UNAVAILABLE: 503,
  INTERNAL_ERROR: 500,
} as const;

/** A request that is not answered as asked, in MLflow's words. */
export class Refusal extends Error {
  readonly error_code: keyof typeof STATUSES;
  readonly status: number;

  constructor(error_code: keyof typeof STATUSES, message: string, status: number = STATUSES[error_code]) {
    super(message);
    this.error_code = error_code;
    this.status = status;
  }
}

/** What is not there. */
export const absent = (what: string) => new Refusal('RESOURCE_DOES_NOT_EXIST', `${what} does not exist here`);

/** A parameter that cannot be taken. */
export const invalid = (message: string) => new Refusal('INVALID_PARAMETER_VALUE', message);

const MEANINGS: Partial<Record<ErrorCode, keyof typeof STATUSES>> = {
  EXPRESSION: 'INVALID_PARAMETER_VALUE',
  USAGE: 'INVALID_PARAMETER_VALUE',
  NOT_FOUND: 'RESOURCE_DOES_NOT_EXIST',
  UNAVAILABLE: 'TEMPORARILY_UNAVAILABLE',
  INTERRUPTED: 'TEMPORARILY_UNAVAILABLE',
};

/** Any thrown value as a refusal. What an error of mlferry says is safe to show. */
export function asRefusal(error: unknown): Refusal {
  if (error instanceof Refusal) return error;
  const { code, message, hint } = asMlferryError(error);
  const known = MEANINGS[code];
  const said = error instanceof MlferryError ? message : `mlferry failed: ${message}`;
  return new Refusal(known ?? 'INTERNAL_ERROR', code === 'EXPRESSION' ? `${said}\n${hint}` : said);
}
