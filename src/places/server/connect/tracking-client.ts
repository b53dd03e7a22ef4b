import type { Readable } from 'node:stream';
import type { z } from 'zod';
import type { RetryPolicy } from '../../../util/retry.ts';
import type { Capabilities } from './capabilities.ts';
import type { Query } from './exchange.ts';

/** One request whose answer is JSON. */
export interface JsonRequest<T> {
  readonly method: 'GET' | 'POST' | 'PATCH' | 'PUT' | 'DELETE';
  /** Below the base URL, percent-encoded: `/api/2.0/mlflow/runs/get`. */
  readonly path: string;
  readonly query?: Query;
  /** Sent as JSON. */
  readonly body?: unknown;
  readonly schema: z.ZodType<T>;
  /**
   * `false`: a create. Where the server may have done it without saying so (connection lost, 5xx), the error is
   * thrown at once, retryable by its code, so that the caller can look the object up first. Default `true`.
   */
  readonly repeat?: boolean;
  /** Most repeats, where fewer than the settings allow. */
  readonly repeats?: number;
}

/** A connection to one tracking server: it carries credentials, limits, repeats and error codes. */
export interface TrackingClient {
  /** Base URL with its path prefix, without credentials. */
  readonly base: URL;
  /** The location for people: redacted, with `?workspace=`. */
  readonly location: string;
  readonly workspace: string | undefined;
  readonly server: Capabilities;
  /** How requests are repeated, for those that only the caller can repeat. */
  readonly backoff: RetryPolicy;
  /**
   * One JSON request. Throws NOT_FOUND (the object is missing), UNSUPPORTED (the endpoint is), REFUSED, DENIED,
   * NOT_MLFLOW (not the JSON of the schema), SERVER_ERROR, UNAVAILABLE; serverAnswer() tells more. An
   * answer of more than 32 MiB is an error for which isTooLarge() is true.
   */
  call<T>(request: JsonRequest<T>): Promise<T>;
  /**
   * GET of bytes, streamed; `length` in bytes where the server tells it. The stream fails when the connection does.
   * `repeats`: most repeats until the answer begins.
   */
  download(
    path: string,
    query?: Query,
    repeats?: number,
  ): Promise<{ body: Readable; length: number | undefined }>;
  /**
   * GET whose body `take` reads as it comes; called anew for each try. A SyntaxError of it, and a ZodError, mean an
   * answer that is not MLflow's: NOT_MLFLOW.
   */
  stream<T>(path: string, query: Query, take: (body: Readable) => Promise<T>): Promise<T>;
  /** PUT of `size` bytes; `open` gives a fresh stream for each try. An MlferryError of that stream is thrown as it is. */
  upload(path: string, size: number, open: () => Promise<Readable>): Promise<void>;
  /** Requests sent so far, repeats included. */
  requests(): number;
  close(): Promise<void>;
}
