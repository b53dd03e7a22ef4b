import { existsSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { z } from 'zod';
import { isInside } from '../../artifacts/local/is-inside.ts';
import type { Experiment } from '../../model/records.ts';
import { MlferryError } from '../../util/errors.ts';
import { byCreation, byStart } from '../reading/reading-order.ts';
import type { Catalogue } from './catalogue.ts';
import {
  type ExportedExperiment,
  experimentsInList,
  experimentWithoutFile,
  isExperimentFile,
  readExperiment,
} from './experiments.ts';
import { checked, type ExportFile, exportId, readExportFile } from './export-file.ts';
import { ARTIFACTS } from './layout.ts';
import { type RunHead, readRunHead } from './run-file.ts';

/** An experiment of an export and its runs, each once, in their order. */
export interface ExperimentContents {
  readonly experiment: Experiment;
  readonly runs: readonly RunHead[];
  /** Its own file; absent where only what belongs to it was exported. */
  readonly file?: ExportFile;
}

/** Something that cannot be read, and the experiment that it lies in. */
export interface Damage {
  readonly path: string;
  readonly error: unknown;
  readonly experiment_id?: string;
}

/** What the files of an export say, as far as it has to be known before the first object is given. */
export interface Contents {
  /** The files of what is read: another export's, of the same ids, are away. */
  readonly catalogue: Catalogue;
  /** In the order of their creation. */
  readonly experiments: readonly ExperimentContents[];
  /** Files that list what was exported. */
  readonly lists: readonly ExportFile[];
  readonly damage: readonly Damage[];
  /** Experiments that a list names and no file is about. */
  readonly missing: ReadonlyArray<{ readonly id: string; readonly name: string; readonly list: string }>;
  /** The server that was exported, by the files' own word. */
  readonly tracking_uri: string | undefined;
}

/** Reads experiments, lists and the beginning of each run. `namesByRun`: of the experiments of runs, as model versions tell them. */
export function readContents(
  whole: Catalogue,
  signal: AbortSignal,
  namesByRun: () => ReadonlyArray<readonly [run_id: string | undefined, name: string | undefined]>,
): Contents {
  const damage: Damage[] = [];
  const attempt = <T>(path: string, read: () => T, experiment_id?: string): T | undefined => {
    signal.throwIfAborted();
    try {
      return read();
    } catch (error) {
      damage.push({ path, error, ...(experiment_id === undefined ? {} : { experiment_id }) });
      return undefined;
    }
  };
  const lists: ExportFile[] = [];
  const homes = new Map<string, ExportedExperiment>();
  const experiments = new Map<string, ExportedExperiment>();
  const away: string[] = [];

  const take = (exported: ExportedExperiment) => {
    const { experiment, file } = exported;
    const known = experiments.get(experiment.experiment_id);
    if (known !== undefined && known.experiment.name !== experiment.name) {
      const message = `${file.path} and ${known.file.path} are experiments of one id and two names: of two exports. The first one is read`;
      const hint = `Name ${dirname(file.path)} to read the second one.`;
      damage.push({ path: file.path, error: new MlferryError('SOURCE_ITEM', message, { hint }) });
      away.push(dirname(file.path));
      return;
    }
    if (known === undefined) experiments.set(experiment.experiment_id, exported);
    homes.set(dirname(file.path), known ?? exported);
  };
  for (const path of whole.files.get('experiment') ?? []) {
    const exported = attempt(path, () => readExperiment(path));
    if (exported !== undefined) take(exported);
  }
  for (const path of whole.files.get('index') ?? []) {
    const file = attempt(path, () => readExportFile(path));
    if (file === undefined) continue;
    lists.push(file);
    if (basename(path) !== 'manifest.json' || !isExperimentFile(file)) continue;
    const exported = attempt(path, () => readExperiment(path));
    if (exported !== undefined) take(exported);
  }

  const isOurs = (path: string) => !away.some((directory) => isInside(directory, path));
  const files = new Map([...whole.files].map(([part, paths]) => [part, paths.filter(isOurs)]));
  const ownLists = lists.filter(({ path }) => isOurs(path));

  const runs = new Map<string, RunHead & { readonly isHome: boolean }>();
  for (const path of files.get('run') ?? []) {
    const home = homeOf(path, homes)?.experiment.experiment_id;
    const head = attempt(path, () => readRunHead(path), home);
    if (head === undefined) continue;
    const found = { ...head, experiment_id: home ?? head.experiment_id, isHome: home !== undefined };
    const known = runs.get(head.run_id);
    if (known === undefined || rank(found) < rank(known)) runs.set(head.run_id, found);
  }

  const byExperiment = Map.groupBy(runs.values(), ({ experiment_id }) => experiment_id);
  const told = ownLists.flatMap((file) =>
    experimentsInList(file).map((each) => ({ ...each, list: file.path })),
  );
  const isKnown = ({ id }: { readonly id: string }) => experiments.has(id) || byExperiment.has(id);
  const ofParts = told.filter(({ list }) => LISTS_OF_PARTS.includes(basename(list)));
  const strays = [...(files.get('logged model') ?? []), ...(files.get('trace') ?? [])].filter((path) => {
    const above = dirname(dirname(path));
    return !homes.has(dirname(above)) && !ofParts.some(({ list }) => dirname(list) === above);
  });
  const ofStrays = strays.flatMap((path) => attempt(path, () => experimentOf(path)) ?? []);
  const without = new Set(
    [...byExperiment.keys(), ...ofParts.map(({ id }) => id), ...ofStrays].filter(
      (id) => !experiments.has(id),
    ),
  );
  const names = new Map(told.map(({ id, name }) => [id, name]));
  for (const [run_id = '', name] of without.size === 0 ? [] : namesByRun()) {
    const id = runs.get(run_id)?.experiment_id;
    if (id !== undefined && name !== undefined && !names.has(id)) names.set(id, name);
  }
  const all: ExperimentContents[] = [
    ...[...experiments.values()].map(({ experiment, file }) => ({ experiment, file })),
    ...[...without].map((id) => ({
      experiment: experimentWithoutFile(id, names.get(id) ?? `experiment ${id}`),
    })),
  ].map(({ experiment, ...rest }) => ({
    experiment,
    ...rest,
    runs: (byExperiment.get(experiment.experiment_id) ?? []).sort(byStart),
  }));
  return {
    experiments: all.sort((a, b) => byCreation(a.experiment, b.experiment)),
    catalogue: { ...whole, files },
    lists: ownLists,
    damage,
    missing: told.filter((each) => !ofParts.includes(each) && !isKnown(each)),
    tracking_uri: [...experiments.values()]
      .map(({ file }) => file)
      .concat(ownLists)
      .map(({ mlflow_tracking_uri }) => mlflow_tracking_uri)
      .concat([...runs.values()].map(({ mlflow_tracking_uri }) => mlflow_tracking_uri))
      .find((uri) => uri !== undefined),
  };
}

const inExperiment = z.union([
  z.object({ experiment_id: exportId }),
  z.object({ info: z.object({ experiment_id: exportId }) }).transform(({ info }) => info),
  z
    .object({
      info: z.object({
        trace_location: z.object({ mlflow_experiment: z.object({ experiment_id: exportId }) }),
      }),
    })
    .transform(({ info }) => info.trace_location.mlflow_experiment),
]);

/** The experiment of a logged model or trace that was exported without it. */
function experimentOf(path: string): string {
  return checked(inExperiment, readExportFile(path).body, path).experiment_id;
}

/** Lists of what experiments hold: they tell no experiment that has to be there. */
const LISTS_OF_PARTS = ['traces.json', 'logged_models.json'];

/** The experiment whose directory a run lies in: `<run>/run.json`, or `runs/<run>/run.json` since October 2025. */
function homeOf(
  path: string,
  homes: ReadonlyMap<string, ExportedExperiment>,
): ExportedExperiment | undefined {
  const above = dirname(dirname(path));
  return homes.get(above) ?? (basename(above) === 'runs' ? homes.get(dirname(above)) : undefined);
}

/** One run may be exported with its experiment and with models made of it. That of the experiment, and the one with files, goes before. */
function rank({ path, isHome }: RunHead & { readonly isHome: boolean }): number {
  return (isHome ? 0 : 1) + (existsSync(join(dirname(path), ARTIFACTS)) ? 0 : 2);
}

const failedRuns = z.object({ failed_runs: z.array(z.string()).catch([]) });
const withPermissions = z.object({ permissions: z.object({}) });
const listedRuns = z.object({ runs: z.array(z.string()) });
const olderListedRuns = z.object({ ok_runs: z.array(z.string()) });

/** The runs that an experiment's file says were exported, and those of which it says that they could not be. */
export function runsInList({ body, info }: ExportFile): {
  readonly listed: readonly string[];
  readonly failed: readonly string[];
  readonly hasPermissions: boolean;
} {
  const listed = listedRuns.safeParse(body).data?.runs ?? olderListedRuns.safeParse(info).data?.ok_runs ?? [];
  return {
    listed,
    failed: failedRuns.safeParse(info).data?.failed_runs ?? [],
    hasPermissions: withPermissions.safeParse(body).success,
  };
}
