import type { Readable } from 'node:stream';
import type { ArtifactStores } from '../../../artifacts/stores.ts';
import type { RetryPolicy } from '../../../util/retry.ts';
import type { Capabilities } from './capabilities.ts';
import type { Query } from './exchange.ts';
import type { Endpoint, Route } from './routes.ts';

/** What a route is asked. */
export interface Asked {
  readonly query?: Query;
  /** Sent as JSON. */
  readonly body?: object;
  /**
   * `false`: a create. Where the server may have done it without saying so (connection lost, 5xx), the error is
   * thrown at once, retryable by its code, so that the caller can look the object up first. Default `true`.
   */
  readonly repeat?: boolean;
  /** Most repeats, where fewer than the settings allow. */
  readonly repeats?: number | undefined;
}

/** The bytes of an answer; `length` of all that come, where the server tells it. */
export interface Download {
  readonly body: Readable;
  readonly length: number | undefined;
  /** Where in the file they begin: at the byte that was asked for, or at 0 where the server gives whole files only. */
  readonly from: number;
}

/** A connection to one tracking server: it carries credentials, limits, repeats and error codes. */
export interface TrackingClient {
  /** Base URL with its path prefix, without credentials. */
  readonly base: URL;
  /** The location for people: redacted, with `?workspace=`. */
  readonly location: string;
  readonly workspace: string | undefined;
  readonly server: Capabilities;
  /** Object stores in which artifact roots of the server are, as far as this machine reaches them by itself. */
  readonly stores: ArtifactStores;
  /** How requests are repeated, for those that only the caller can repeat. */
  readonly backoff: RetryPolicy;
  /**
   * One request whose answer is JSON. Throws NOT_FOUND (the object is missing), UNSUPPORTED (the endpoint is), REFUSED, DENIED,
   * NOT_MLFLOW (not the JSON of the schema), SERVER_ERROR, UNAVAILABLE; serverAnswer() tells more. An
   * answer of more than 32 MiB is an error for which isTooLarge() is true.
   */
  call<T>(route: Route<T>, asked?: Asked): Promise<T>;
  /**
   * GET of bytes, streamed. The stream fails when the connection does. `repeats`: most repeats until the answer begins; `from`:
   * the first byte that is wanted.
   */
  download(route: Endpoint, query?: Query, repeats?: number, from?: number): Promise<Download>;
  /**
   * GET whose body `take` reads as it comes; called anew for each try. A SyntaxError of it, and a ZodError, mean an
   * answer that is not MLflow's: NOT_MLFLOW.
   */
  stream<T>(route: Endpoint, query: Query, take: (body: Readable) => Promise<T>): Promise<T>;
  /** PUT of `size` bytes; `open` gives a fresh stream for each try. An MlferryError of that stream is thrown as it is. */
  upload(route: Endpoint, size: number, open: () => Promise<Readable>): Promise<void>;
  /** POST of bytes to a route that does not speak JSON; its answer is dropped. */
  post(
    route: Endpoint,
    body: Uint8Array,
    headers: Readonly<Record<string, string>>,
    asked?: Pick<Asked, 'query' | 'repeats'>,
  ): Promise<void>;
  /** Requests sent so far, repeats included. */
  requests(): number;
  close(): Promise<void>;
}
