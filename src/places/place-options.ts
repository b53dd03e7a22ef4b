import type { Readable, Writable } from 'node:stream';
import type { Parts } from '../kinds/parts.ts';
import type { Findings } from '../model/findings.ts';
import type { Selection } from '../model/selection.ts';
import type { Bandwidth } from '../util/bandwidth.ts';
import type { PlaceInfo } from './place.ts';
import type { PlaceTraits } from './traits.ts';

/** TLS of a server connection: paths to PEM files. */
export interface TlsOptions {
  readonly caFile?: string;
  readonly clientCertFile?: string;
  readonly insecure?: boolean;
}

/**
 * What a caller may say of how a place is opened. An option of one kind of place is named here, where that place reads
 * it, and in src/cli/place-options.ts: all that opens places passes it on.
 */
export interface PlaceSettings {
  /** Most requests to a server that start in a second, default no limit. */
  readonly maxRequestsPerSecond?: number | undefined;
  /** Bytes a second of files, requests and answers, shared by all that is given it (`limitBandwidth`); default no limit. */
  readonly bandwidth?: Bandwidth | undefined;
  readonly tls?: TlsOptions | undefined;
  /** Directory of the artifact bytes of a stream. */
  readonly artifactsDir?: string | undefined;
  /** Accept a stream whose end record no longer fits its lines. */
  readonly allowEdited?: boolean | undefined;
  /** A run that cannot be read to its last line is no run. */
  readonly strict?: boolean | undefined;
  /** Where the artifact root that a source directory names, of a server or of another machine, stands now. */
  readonly artifactsRoot?: string | undefined;
  /** Where the artifact root of a target database stands, as seen from here. */
  readonly toArtifactsRoot?: string | undefined;
  /** Files with the keys (age) of encrypted archives and streams that are read. */
  readonly identityFiles?: readonly string[] | undefined;
  /** Public keys (age) that an archive or stream is encrypted to when it is written. */
  readonly encryptTo?: readonly string[] | undefined;
  /** Files with more of them, one a line. */
  readonly recipientsFiles?: readonly string[] | undefined;
  readonly stdin?: Readable | undefined;
  readonly stdout?: Writable | undefined;
}

/** What every place is opened with. */
export interface PlaceOptions extends PlaceSettings {
  readonly side: 'from' | 'to';
  readonly findings: Findings;
  readonly signal: AbortSignal;
  /** Runs in flight. */
  readonly concurrency: number;
  /** Environment variables: credentials and MLflow's own settings. */
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** Directory for spool files; made and removed by the caller. */
  readonly tempDir: string;
  /** Histories are read as they are, also where they lack what their run shows as the latest point: to compare them. */
  readonly asFound?: boolean;
  /** It is the only place, and is only read: credentials of the other side are as good. */
  readonly eitherSide?: boolean;
}

/** What a writer needs besides. */
export interface WriterOptions extends PlaceOptions {
  /** Nothing is written; the results say what would be. */
  readonly dryRun: boolean;
  /** Replace an archive or stream file of that name; otherwise it is a CONFLICT. */
  readonly overwrite?: boolean;
  /** Make MLflow's tables in a database that is empty or not there; otherwise it is an error. */
  readonly init?: boolean;
  /** For the header of archives and streams. */
  readonly source: PlaceInfo;
  readonly sourceTraits: PlaceTraits;
  readonly selection: Selection;
  /** What is carried, all unless told: a file begun with other parts is not gone on with. */
  readonly parts?: Parts;
  readonly toolVersion: string;
}
