import type { ModelLinks } from '../kinds/model-links.ts';
import type { FileList, ToldFiles } from '../model/file-list.ts';
import type { LeftBehind } from '../model/left-behind.ts';
import type { Points } from '../model/points.ts';
import type { Experiment, Run } from '../model/records.ts';
import type { Selection } from '../model/selection.ts';
import type { ArtifactOwner } from './artifact-owner.ts';
import type { ObjectSource, ObjectWriter, WriteOutcome } from './objects.ts';
import type { Representation } from './representation.ts';
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

/** The reading side of a place. Errors that concern one experiment or run go to `findings.failure` and reading goes on. */
export interface Reader {
  readonly info: PlaceInfo;
  readonly traits: PlaceTraits;
  /** The selection with which it was taken from its source, where it was taken from another place and knows that. */
  readonly taken?: Selection;
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
  readonly outcome: WriteOutcome;
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
   * Whether the target holds this very run, complete, with all files that `toldFiles` tells of (absent: files do not count): then
   * neither its metrics nor its artifacts are looked at.
   */
  isCurrent(
    source: Run,
    experiment: TargetExperiment,
    digest: string,
    toldFiles?: () => Promise<ToldFiles>,
  ): Promise<WrittenRun | undefined>;
  /**
   * Where the logged models of a run are below the artifact root of its copy, by their ids, where the place has no logged models
   * and the copy tells.
   */
  heldModels?(source_run_id: string, experiment: TargetExperiment): Promise<WrittenRun['models']>;
  /**
   * Writes a run whole, or completes the copy that is there: known points are never sent again. Called concurrently,
   * in the order of the source; places with one file keep that order. Returns only when the target holds the run.
   */
  run(source: RunReader, target: RunTarget): Promise<WrittenRun>;
  /** The further kinds that the place can hold. Objects of any other are reported as lost by the engine. */
  readonly objects?: ReadonlyMap<string, ObjectWriter>;
  /** Of kinds that people make anew: what the target has by itself. */
  readonly madeAnew?: ReadonlyMap<string, ObjectSource>;
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
