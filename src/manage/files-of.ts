import { MODEL } from '../kinds/model-links.ts';
import { madeOf, VERSION } from '../kinds/model-registry.ts';
import { type Failure, isContent, type Loss, lacksFiles } from '../model/findings.ts';
import { type ModelVersion, modelVersion } from '../model/registered-model.ts';
import { ALL_ACTIVE } from '../model/selection.ts';
import type { ArtifactEntry, ArtifactOwner } from '../places/artifact-owner.ts';
import type { ObjectReader } from '../places/objects.ts';
import { selectionAt } from '../places/open.ts';
import type { PlaceInfo, Reader } from '../places/place.ts';
import { WHOLE_REGISTRY } from '../places/selecting/registered-choice.ts';
import { matchRegistered, whyNothing } from '../places/selecting/registered-pattern.ts';
import { errorCodes, MlferryError } from '../util/errors.ts';
import { nearest } from '../util/nearest.ts';
import { type ListOptions, readPlace } from './list-runs.ts';

/** What files are asked of: a run, a logged model or a version of a registered model. */
export interface FilesOf {
  readonly kind: string;
  readonly id: string;
  readonly files: ArtifactOwner;
}

/** Some files of one object, and what was found besides. */
export interface FoundFiles extends Pick<FilesOf, 'kind' | 'id'> {
  readonly place: PlaceInfo;
  /** The file or directory that was asked for; empty for all files. */
  readonly path: string;
  /** Files that cannot be reached. */
  readonly losses: readonly Loss[];
  readonly failures: readonly Failure[];
  /** 3 where there is any of these. */
  readonly exit_status: number;
}

/** How an object is named: `RUN`, `runs:/RUN/PATH`, `m-…`, `models:/m-…`, `models:/NAME/3`, `models:/NAME@alias`. */
interface Name {
  readonly run?: string;
  readonly model?: string;
  readonly version?: string;
  /** Below its files. */
  readonly path: string;
}

function parseName(name: string): Name {
  const [, run, path = ''] = /^runs:\/+([^/]+)(?:\/(.*))?$/s.exec(name) ?? [];
  if (run !== undefined) return { run, path };
  const [, model, below = ''] = /^(?:models:\/+)?(m-[\w-]+)(?:\/(.*))?$/s.exec(name) ?? [];
  if (model !== undefined) return { model, path: below };
  const [, version] = /^models:\/+(.+)$/s.exec(name) ?? [];
  return version === undefined ? { run: name, path: '' } : { version, path: '' };
}

/**
 * Finds one object of any place by its name, and hands out its files at a path: a run by its id (or the beginning of it) or
 * `runs:/…`, a logged model by its id, a version by `models:/NAME/3`, `models:/NAME/latest` or `models:/NAME@alias`. Throws NOT_FOUND
 * where there is no such object or path, USAGE where the name fits several, and as openReader does.
 */
export async function withFilesOf<T>(
  location: string,
  name: string,
  path: string,
  options: ListOptions,
  task: (found: FilesOf, entries: readonly ArtifactEntry[], path: string) => Promise<T>,
): Promise<{ readonly found: FoundFiles; readonly result: T }> {
  let done: { readonly found: FoundFiles; readonly result: T } | undefined;
  await readPlace(location, options, async (reader, _, ledger) => {
    const parsed = parseName(name);
    const asked = [parsed.path, path].map(trimmed).filter(Boolean).join('/');
    const of = await find(reader, location, parsed, options);
    if (of === undefined) {
      // What the place told on the way may be the reason.
      const [{ object, message }] = [...ledger.failures, { object: name, message: 'it is not there' }];
      throw new MlferryError('NOT_FOUND', `${object}: ${message}`, {
        hint: 'mlferry runs list and mlferry models list show what there is.',
      });
    }
    const before = ledger.failures.length;
    const all: ArtifactEntry[] = [];
    for await (const entry of of.files.artifacts()) all.push(entry);
    const entries = all.filter((entry) => isAt(entry.path, asked));
    // Some are told when the run is handed out, and not with its files.
    const lost = () =>
      ledger.losses.filter(
        (loss) =>
          isContent(loss) &&
          lacksFiles([loss]) &&
          [undefined, of.id].includes(loss.of?.id ?? loss.run_id) &&
          (loss.key === undefined || isAt(loss.key, asked) || isAt(asked, loss.key)),
      );
    const failed = () => ledger.failures.slice(before);
    if (entries.length === 0 && asked !== '' && lost().length + failed().length === 0)
      throw noSuchPath(of, asked, all);
    const result = await task(of, entries, asked);
    const [losses, failures] = [lost(), failed()];
    const isWhole = losses.length + failures.length === 0;
    const exit_status = isWhole ? 0 : errorCodes.INCOMPLETE.exit;
    const { kind, id } = of;
    done = { found: { place: reader.info, kind, id, path: asked, losses, failures, exit_status }, result };
  });
  if (done === undefined) throw new MlferryError('BUG', 'The place was not read');
  return done;
}

/** Whether a file is the one at this path, or below it. */
const isAt = (file: string, path: string) => path === '' || file === path || file.startsWith(`${path}/`);

const trimmed = (path: string) => path.replace(/^(?:\.?\/+)+|\/+$|^\.$/g, '');

function noSuchPath({ kind, id }: FilesOf, path: string, entries: readonly ArtifactEntry[]): MlferryError {
  const near = nearest(
    path,
    entries.map((entry) => entry.path),
  );
  const hint = near === undefined ? '' : `; did you mean ${JSON.stringify(near)}?`;
  return new MlferryError(
    'NOT_FOUND',
    `${kind.replace('_', ' ')} ${id} has no file or directory ${JSON.stringify(path)}${hint}`,
    { hint: 'mlferry artifacts ls shows what it has.' },
  );
}

async function find(
  reader: Reader,
  location: string,
  { run, model, version }: Name,
  options: ListOptions,
): Promise<FilesOf | undefined> {
  const selection = selectionAt(location, { ...options.selection, view: 'all' });
  if (run !== undefined) {
    const named = { ...selection, runs: [run] };
    for await (const experiment of reader.experiments(named))
      for await (const source of reader.runs(experiment, named))
        return { kind: 'run', id: source.run.run_id, files: source };
    return undefined;
  }
  if (version !== undefined) return findVersion(reader, version);
  const source = reader.objects?.get(MODEL);
  if (source === undefined || model === undefined) return undefined;
  const experiments = [];
  for await (const experiment of reader.experiments(selection)) experiments.push(experiment);
  const scope = { selection, experiments, isChosen: () => true, isHeld: () => false };
  for await (const object of source.read(scope))
    if (object.record.model_id === model) return { kind: MODEL, id: model, files: object };
  return undefined;
}

async function findVersion(reader: Reader, pattern: string): Promise<FilesOf | undefined> {
  const source = reader.objects?.get(VERSION.kind);
  if (source === undefined) return undefined;
  const all: Array<{ readonly version: ModelVersion; readonly object: ObjectReader }> = [];
  // Its files are wanted, wherever they are.
  const scope = {
    ...WHOLE_REGISTRY,
    selection: { ...ALL_ACTIVE, view: 'all' as const },
    isHeld: () => false,
  };
  for await (const object of source.read(scope))
    all.push({ version: modelVersion.parse(object.record), object });
  const names = new Set(all.map(({ version }) => version.name));
  // Names are no globs here.
  const { wanted, found } = matchRegistered(pattern, names);
  const fitting = all.filter(({ version }) => {
    const own = () => all.flatMap((each) => (each.version.name === version.name ? each.version : []));
    return found.includes(version.name) && wanted?.(version, own()) !== false;
  });
  const [first, ...more] = fitting;
  if (first === undefined) throw new MlferryError('NOT_FOUND', whyNothing(pattern, found, names));
  if (more.length > 0)
    throw new MlferryError('USAGE', `${JSON.stringify(pattern)} fits ${fitting.length} versions`, {
      hint: 'Name one: models:/NAME/3, models:/NAME/latest or models:/NAME@alias.',
    });
  const seen = new Set([first]);
  let last = first;
  for (;;) {
    // A copy of another version has the files of that one.
    const { version: other } = madeOf(last.version);
    const next = all.find(({ version }) => version.name === other?.name && version.version === other.version);
    if (next === undefined || seen.has(next)) break;
    seen.add(next);
    last = next;
  }
  const { name, version } = first.version;
  return { kind: VERSION.kind, id: `${name}/${version}`, files: last.object };
}
