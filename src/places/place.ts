import type { Readable, Writable } from 'node:stream';
import type { ObjectKind, ObjectRecord } from '../kinds/kind.ts';
import type { ModelLinks } from '../kinds/model-links.ts';
import type { Parts } from '../kinds/parts.ts';
import type { FileList } from '../model/file-list.ts';
import type { Findings } from '../model/findings.ts';
import type { RunLoss } from '../model/fit-run.ts';
import type { LeftBehind } from '../model/left-behind.ts';
import type { Points } from '../model/points.ts';
import type { Experiment, Run } from '../model/records.ts';
import type { Selection } from '../model/selection.ts';
import type { Bandwidth } from '../util/bandwidth.ts';
import type { Representation } from './representation.ts';
import type { RunKey, RunMover } from './run-mover.ts';
import type { PlaceTraits } from './traits.ts';

/** What a place is and where it stands. */
export interface PlaceInfo {
  /** See the descriptors of `registry.ts`. */
  readonly kind: string;
  /** The location as given, without credentials. */
  readonly location: string;
  /**
   * Names the source in `mlferry.origin`. Of an archive or stream it is the fingerprint of what it was taken from, so
   * a restore finds the runs that a direct copy made.
   */
  readonly fingerprint: string;
  /** MLflow's version, of a server. */
  readonly server_version?: string;
}

/** Points of one key as columns, at most 1000; a key may come in several pieces, one after another. */
export interface MetricPoints {
  readonly key: string;
  readonly points: Points;
}

/** A file of a run or another object. `path` is relative to its artifact root, with `/`; `size` in bytes where the source tells it. */
export interface ArtifactEntry {
  readonly path: string;
  readonly size?: number;
  readonly sha256?: string;
}

/** What has files: a run, or an object of a further kind. */
export interface ArtifactOwner {
  /** All files in code-unit order of their paths; may be read more than once. */
  artifacts(): AsyncIterable<ArtifactEntry>;
  /** The bytes of all files with a sha256 were read, and have it, when the place was opened. */
  readonly hasCheckedBytes?: boolean;
  /**
   * The bytes of a file. The stream fails with SHORT_BODY when they are fewer or more than the entry's size, and with
   * SOURCE_ITEM when they do not have its sha256. `undefined` when the place knows of the file but does not carry it.
   */
  open(artifact: ArtifactEntry): Promise<Readable | undefined>;
}

/** Of an object that has none. */
export const NO_FILES: ArtifactOwner = {
  async *artifacts() {},
  open: async () => undefined,
};

/**
 * One run at its source. `metrics` may be read more than once. A place that cannot read all of a run says so in its record
 * (`incomplete`), and tells what is missing.
 */
export interface RunReader extends ArtifactOwner {
  readonly run: Run;
  /**
   * All points, keys in code-unit order, the points of a key in the order of the source. With `keys` only these are
   * needed; others may come too.
   */
  metrics(keys?: readonly string[]): AsyncIterable<MetricPoints>;
  /** The list of its files, where that costs next to nothing: then a copy is current only when it has had them all. */
  fileList?(): Promise<FileList | undefined>;
  /** The run's links to logged models, where `run` does not tell all: no listing of a server tells what a run read. */
  modelLinks?(): Promise<ModelLinks>;
  /**
   * How many points there are, where all were read when the place was opened and the run's latest points are the latest of
   * them.
   */
  readonly checkedPoints?: number | undefined;
}

/** One object of a further kind at its source. */
export interface ObjectReader extends ArtifactOwner {
  /** The place knows that it belongs to the selection: something that lives in it does. */
  readonly belongs?: boolean;
  readonly of: ObjectKind;
  readonly record: ObjectRecord;
  /** The record with what the place gives late (a mark of its schema); absent where the record is whole. */
  whole?(): Promise<ObjectRecord>;
}

/** Which objects of a further kind are wanted: those of these experiments, and those that live in none. */
export interface ObjectScope {
  readonly selection: Selection;
  /** Selected experiments, as the reader gave them. */
  readonly experiments: readonly Experiment[];
  /** Whether an object of an earlier kind belongs to the selection. */
  isChosen(kind: string, id: string): boolean;
  /** Whether an object of an earlier kind is on the target, so that its files need not come along with another one. */
  isHeld(kind: string, id: string): boolean;
}

/** How a place gives the objects of one further kind. */
export interface ObjectSource {
  /** Each object once, in the order of creation (id where that is unknown); parents are read before. */
  read(scope: ObjectScope): AsyncIterable<ObjectReader>;
  /**
   * What a copy in this place must look like, where it cannot hold every record as it is: the same rules by which its
   * writer fits it. `present` is what the place holds.
   */
  represent?(
    wanted: ObjectRecord,
    present: ObjectRecord,
  ): { readonly record: ObjectRecord; readonly losses: readonly RunLoss[] };
}

/** The reading side of a place. Errors that concern one experiment or run go to `findings.failure` and reading goes on. */
export interface Reader {
  readonly info: PlaceInfo;
  readonly traits: PlaceTraits;
  /** What a copy in this place must look like. Absent: every record as it is, ids included (archive, stream). */
  readonly representation?: Representation;
  /** Selected experiments, each once, in the order of their creation (id where that is unknown). */
  experiments(selection: Selection): AsyncIterable<Experiment>;
  /** Selected runs of an experiment, each once, in the order (start_time, run_id). Throws EXPRESSION for a wrong filter. */
  runs(experiment: Experiment, selection: Selection): AsyncIterable<RunReader>;
  /** The further kinds that the place can hold; it has no objects of any other. */
  readonly objects?: ReadonlyMap<string, ObjectSource>;
  /** Says that the metrics of these runs (or these keys of them) will be asked for soon, so that they can be fetched together. */
  prefetch?(runs: readonly RunReader[], keys?: readonly string[]): void;
  /** Selected experiments' runs that the view leaves out, where that is cheap to know. */
  hiddenRuns?(experiment: Experiment, selection: Selection): Promise<number>;
  /** How the filter and the order of a selection would be worked out. */
  explain?(selection: Selection): Promise<Explanation>;
  close(): Promise<void>;
}

/** Who does what of a selection: expressions as text. */
export interface Explanation {
  readonly place: PlaceInfo;
  /** The server's dialect; absent where nothing is asked of a server. */
  readonly dialect?: string;
  /** The part of the filter that the server is asked. */
  readonly pushed?: string;
  /** The part that only mlferry judges. */
  readonly here?: string;
  /** Metrics whose whole histories are read, of the runs that come back and whose records do not decide. */
  readonly histories: readonly string[];
  /** With `max_runs`: the order, and whether the server sorts. */
  readonly order?: { readonly columns: readonly string[]; readonly pushed: boolean; readonly first: number };
  /** Experiments searched, and in how many searches at least. */
  readonly experiments?: number;
  readonly searches?: number;
  /** What the server refused, and was then not asked. */
  readonly refused: readonly string[];
}

/** The experiment on the target that runs are written to. */
export interface TargetExperiment {
  readonly experiment_id: string;
  readonly name: string;
  readonly created: boolean;
}

/** What the engine knows of a run when it hands it to a writer. */
export interface RunTarget {
  readonly experiment: TargetExperiment;
  /** Value of the tag `mlferry.origin`. */
  readonly origin: string;
  /**
   * runDigest of the source run, for the tag `mlferry.digest`, to be set last. `undefined` while references of the run
   * are open: then the tag must not be set (the second pass brings it), so that the run does not count as complete.
   */
  readonly digest: string | undefined;
  /**
   * An earlier process of this job may have created the copy without learning of it: a writer looks once more right
   * before it creates, and for a second copy at the end.
   */
  readonly inDoubt?: boolean;
  /**
   * The run in the target's ids. A writer calls it once it knows the run's own id (and artifact root), also when it
   * found the run already there; references to runs that are not on the target yet follow in the second pass.
   */
  remap(own: { run_id: string; artifact_uri: string }): Run;
}

/** What became of a run: `left` = someone deleted the copy on the target, and it was left deleted. */
export interface WrittenRun {
  readonly run_id: string;
  readonly outcome: 'created' | 'updated' | 'unchanged' | 'left';
  /** Sent to the target in this pass (in a dry run: would be sent). */
  readonly points: number;
  readonly artifacts: number;
  readonly bytes: number;
  /** Value of `mlferry.origin_parent` that the target's run has from an earlier pass. */
  readonly origin_parent?: string;
  /** Where the models of the run are below its artifact root, by `model_uuid`, as its record tells. */
  readonly models?: ReadonlyMap<string, string>;
  /** A file of it failed, as the findings tell: the rest is there, and a later pass looks for what is missing. */
  readonly incomplete?: boolean;
}

/** What the target gave an object of a further kind: its id there, and the root of its files where it has one. */
export interface OwnObject {
  readonly id: string;
  readonly artifact_uri?: string;
}

/** What the engine knows of an object of a further kind when it hands it to a writer. */
export interface ObjectTarget {
  /** Value of the tag `mlferry.origin`: `<fingerprint>/<source id>`. */
  readonly origin: string;
  /** objectDigest of the source's record, for the tag `mlferry.digest`, to be set last: then the copy is complete. */
  readonly digest: string;
  /** An earlier process of this job may have created the copy without learning of it. */
  readonly inDoubt: boolean;
  /** The record in the target's ids; a writer calls it once it knows the object's own, before it asks for files. */
  remap(own: OwnObject): ObjectRecord;
  /** The same with what the source gives late. */
  whole(own: OwnObject): Promise<ObjectRecord>;
}

/** What became of an object of a further kind; `id` is the target's. */
export interface WrittenObject {
  readonly id: string;
  readonly outcome: WrittenRun['outcome'];
  readonly artifacts: number;
  readonly bytes: number;
}

/** Writes an object whole, or completes the copy that is there. Returns only when the target holds it. */
export type ObjectWriter = (source: ObjectReader, target: ObjectTarget) => Promise<WrittenObject>;

/** The second pass: what can only be done when every object is on the target. */
export interface SecondPass {
  /** Links to logged models to make, then tags to set (`null` removes), per target run. */
  readonly runs: ReadonlyArray<{
    run_id: string;
    experiment_id: string;
    tags: Readonly<Record<string, string | null>>;
    links?: ModelLinks;
  }>;
  /** Runs to delete softly, then experiments. `deleted_time` is kept by places that can. */
  readonly deleted_runs: ReadonlyArray<{
    run_id: string;
    experiment_id: string;
    deleted_time?: number | string;
  }>;
  readonly deleted_experiments: readonly string[];
}

/** The writing side of a place. */
export interface Writer {
  readonly info: PlaceInfo;
  readonly traits: PlaceTraits;
  /** Finds the experiment by `name` or creates it, with the source's tags. */
  experiment(source: Experiment, name: string): Promise<TargetExperiment>;
  /**
   * Whether the target holds this very run, complete, with all files that `fileList` tells of: then neither its metrics nor its
   * artifacts are looked at.
   */
  isCurrent(
    source: Run,
    experiment: TargetExperiment,
    digest: string,
    fileList?: RunReader['fileList'],
  ): Promise<WrittenRun | undefined>;
  /**
   * Writes a run whole, or completes the copy that is there: known points are never sent again. Called concurrently,
   * in the order of the source; places with one file keep that order. Returns only when the target holds the run.
   */
  run(source: RunReader, target: RunTarget): Promise<WrittenRun>;
  /** The further kinds that the place can hold. Objects of any other are reported as lost by the engine. */
  readonly objects?: ReadonlyMap<string, ObjectWriter>;
  /** The copies of source runs anywhere on the target (source id → target id), for references out of the selection. */
  findRuns?(source_run_ids: readonly string[]): Promise<ReadonlyMap<string, string>>;
  secondPass(pass: SecondPass): Promise<void>;
  /**
   * Reads back what matters and makes the result final: MISMATCH failures go to the findings; renames the archive, ends the
   * stream. What is `leftBehind` stands in files, to be told by those who read them.
   */
  finish(leftBehind?: readonly LeftBehind[]): Promise<void>;
  /** Leaves nothing half-made under a final name. Safe to call at any time after an error. */
  abort(): Promise<void>;
}

/** A run by its parent: what the cascade of a deletion needs to know. */
export interface ChildRun extends Pick<Run, 'run_id' | 'experiment_id' | 'run_name' | 'lifecycle_stage'> {
  /** Value of `mlflow.parentRunId`. */
  readonly parent: string;
}

/** Tags to set; `null` removes one, and it is no error when it is not there. */
export type TagChanges = Readonly<Record<string, string | null>>;

/**
 * The managing side of a place: changes of single runs and experiments. Each is idempotent and throws NOT_FOUND when the
 * object is not there, REFUSED when the place does not take it. What to change is found with `reader`.
 */
export interface Manager {
  /** Reads the same place; it is closed with the manager. */
  readonly reader: Reader;
  /** All children of these runs, in any experiment and of any stage. */
  children(parents: readonly string[]): Promise<readonly ChildRun[]>;
  /** Soft delete. `time`: ms since the epoch, kept where restore finds it (`deleted_time`, or the tag on a server). */
  deleteRun(run: RunKey, time: number): Promise<void>;
  restoreRun(run: RunKey): Promise<void>;
  /** Of an active run. REFUSED, before anything is sent, when a key or value does not fit whole. */
  setTags(run: RunKey, tags: TagChanges): Promise<void>;
  renameRun(run: RunKey, run_name: string): Promise<void>;
  /** Soft delete of an experiment with its active runs. */
  deleteExperiment(experiment_id: string): Promise<void>;
  /** Makes an experiment active, and its runs but those in `deleted`. */
  restoreExperiment(experiment_id: string, deleted: readonly string[]): Promise<void>;
  setExperimentTags(experiment_id: string, tags: TagChanges): Promise<void>;
  renameExperiment(experiment_id: string, name: string): Promise<void>;
  /** Makes an experiment of a name that none has, and gives its id. */
  createExperiment(name: string): Promise<string>;
  /** Where a run can go to another experiment and keep its id: a directory. */
  readonly mover?: RunMover;
  /** Where the place itself deletes and restores by time: Databricks. */
  readonly bulk?: BulkManager;
  close(): Promise<void>;
}

/** Deletion and restoration of many runs of one experiment in one request, at most 10,000; the answer is how many. */
export interface BulkManager {
  /** Runs created at or before `time` (ms). */
  deleteRuns(experiment_id: string, time: number): Promise<{ count: number; full: boolean }>;
  /** Runs deleted at or after `time` (ms). */
  restoreRuns(experiment_id: string, time: number): Promise<{ count: number; full: boolean }>;
}

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
  readonly stdin?: Readable | undefined;
  readonly stdout?: Writable | undefined;
}

/** The settings among options that say more; the compiler wants each named. */
export function settingsIn({
  maxRequestsPerSecond,
  bandwidth,
  tls,
  artifactsDir,
  allowEdited,
  strict,
  artifactsRoot,
  stdin,
  stdout,
}: PlaceSettings): Required<PlaceSettings> {
  return {
    maxRequestsPerSecond,
    bandwidth,
    tls,
    artifactsDir,
    allowEdited,
    strict,
    artifactsRoot,
    stdin,
    stdout,
  };
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
  /** For the header of archives and streams. */
  readonly source: PlaceInfo;
  readonly sourceTraits: PlaceTraits;
  readonly selection: Selection;
  /** What is carried, all unless told: a file begun with other parts is not gone on with. */
  readonly parts?: Parts;
  readonly toolVersion: string;
}
