import type { Readable } from 'node:stream';
import { artifactPathProblem } from '../artifacts/artifact-path.ts';
import { type LoggedModel, loggedModel } from '../model/logged-model.ts';
import { printTraceData } from '../model/mlflow/trace-data.ts';
import { trace as traceSchema } from '../model/trace.ts';
import type { ArtifactEntry, ArtifactOwner } from '../places/artifact-owner.ts';
import type { ObjectReader } from '../places/objects.ts';
import { absent, invalid, Refusal } from './refusal.ts';
import type { FileReply } from './reply.ts';
import type { ServedPlace } from './served-place.ts';
import { ownerOfPath } from './served-roots.ts';

/** Lists of files that are kept for a while: clients go through a tree directory by directory. */
const MOST_LISTS = 20;
const KEPT = 10_000;
/** Files in one list that is kept. */
const MOST_FILES = 100_000;

/** Where MLflow keeps the spans of a trace. */
const TRACE_DATA = 'traces.json';

/** A file or directory as MLflow lists it. */
interface ListedFile {
  readonly path: string;
  readonly is_dir: boolean;
  readonly file_size?: number | undefined;
}

/** The files of what a place holds, by paths as clients send them: a path is looked up in the list of its owner, never opened. */
export interface ServedFiles {
  /** One directory of a run, by paths below its root. */
  listRun(run_id: string, directory: string | undefined): Promise<ListedFile[]>;
  ofRun(run_id: string, path: string): Promise<FileReply>;
  listModel(model_id: string, directory: string | undefined): Promise<ListedFile[]>;
  ofModel(model_id: string, path: string): Promise<FileReply>;
  ofVersion(name: string, version: string, path: string): Promise<FileReply>;
  ofTrace(trace_id: string, path: string): Promise<FileReply>;
  /** By paths below `mlflow-artifacts:/`, see served-roots.ts. */
  listProxied(path: string): Promise<ListedFile[]>;
  proxied(path: string): Promise<FileReply>;
}

/** An owner with the list of its files. */
interface Held {
  readonly owner: ArtifactOwner;
  readonly files: readonly ArtifactEntry[];
}

/** The files of a place. */
export function servedFiles(place: ServedPlace): ServedFiles {
  const kept = new Map<string, { readonly since: number; readonly held: Promise<Held> }>();

  const held = (key: string, find: () => Promise<ArtifactOwner>): Promise<Held> => {
    const last = kept.get(key);
    if (last !== undefined && Date.now() - last.since < KEPT) return last.held;
    const found = find().then(async (owner): Promise<Held> => {
      const files: ArtifactEntry[] = [];
      for await (const file of owner.artifacts()) files.push(file);
      if (files.length > MOST_FILES) kept.delete(key);
      return { owner, files };
    });
    kept.set(key, { since: Date.now(), held: found });
    found.catch(() => kept.delete(key));
    for (const oldest of kept.keys()) if (kept.size > MOST_LISTS) kept.delete(oldest);
    return found;
  };

  const ofRun = (run_id: string) =>
    held(`run ${run_id}`, async () => there(await place.runReader(run_id), `Run with id=${run_id}`));
  const ofObject = (kind: string, id: string, words: string) =>
    held(`${kind} ${id}`, async () => there(await place.objectReader(kind, id), words));
  const ofModel = (model_id: string) =>
    ofObject('logged_model', model_id, `Logged model with ID '${model_id}'`);
  const ofVersion = (id: string) => ofObject('model_version', id, `Model version ${id}`);
  const ofTrace = (trace_id: string, older: boolean) =>
    held(`trace ${older} ${trace_id}`, async () =>
      withTraceData(
        there(await place.objectReader('trace', trace_id), `Trace with ID '${trace_id}'`),
        trace_id,
        older,
      ),
    );
  const ofPath = async (path: string): Promise<{ held: Held; rest: string }> => {
    const named = ownerOfPath(path);
    if (named === undefined) throw absent(`"${path}"`);
    const { owner, id, rest } = named;
    if (owner === 'run') return { held: await ofRun(id), rest };
    if (owner === 'model') return { held: await ofModel(id), rest };
    if (owner === 'version') return { held: await ofVersion(id), rest };
    return { held: await ofTrace(id, owner === 'older trace'), rest };
  };

  return {
    listRun: async (run_id, directory) => directoryOf(await ofRun(run_id), directory),
    ofRun: async (run_id, path) => fileOf(await ofRun(run_id), path),
    listModel: async (model_id, directory) => directoryOf(await ofModel(model_id), directory),
    ofModel: async (model_id, path) => fileOf(await ofModel(model_id), path),
    ofVersion: async (name, version, path) => fileOf(await ofVersion(`${name}/${version}`), path),
    ofTrace: async (trace_id, path) => fileOf(await ofTrace(trace_id, false), path),
    async listProxied(path) {
      // Clients take names, not paths, from this list.
      const { held: own, rest } = await ofPath(path);
      return directoryOf(own, rest === '' ? undefined : rest).map((file) => ({
        ...file,
        path: file.path.slice(file.path.lastIndexOf('/') + 1),
      }));
    },
    async proxied(path) {
      const { held: own, rest } = await ofPath(path);
      return fileOf(own, rest);
    },
  };
}

function there<T>(found: T | undefined, words: string): T {
  if (found === undefined) throw absent(words);
  return found;
}

/** A trace's files with that of its spans, in the form that the client reads. */
function withTraceData(reader: ObjectReader, trace_id: string, older: boolean): ArtifactOwner {
  return {
    async *artifacts() {
      yield { path: TRACE_DATA };
      for await (const file of reader.artifacts()) if (file.path !== TRACE_DATA) yield file;
    },
    async open(file) {
      if (file.path !== TRACE_DATA) return reader.open(file);
      const { spans } = traceSchema.parse((await reader.whole?.()) ?? reader.record);
      const { Readable: stream } = await import('node:stream');
      return stream.from([Buffer.from(printTraceData(spans, trace_id, older))]);
    },
  };
}

/** A path as a client sends it. Throws INVALID_PARAMETER_VALUE for one that could lead out of a root. */
function checked(path: string): string {
  const plain = path.replace(/\/+$/, '');
  const problem = artifactPathProblem(plain);
  if (problem !== undefined) throw invalid(`Invalid path: it ${problem}`);
  return plain;
}

function directoryOf({ files }: Held, directory: string | undefined): ListedFile[] {
  const below =
    directory === undefined || directory === '' || directory === '.' ? '' : `${checked(directory)}/`;
  const listed = new Map<string, ListedFile>();
  for (const { path, size } of files) {
    if (!path.startsWith(below)) continue;
    const end = path.indexOf('/', below.length);
    if (end === -1) listed.set(path, { path, is_dir: false, file_size: size });
    else listed.set(path.slice(0, end), { path: path.slice(0, end), is_dir: true });
  }
  return [...listed.values()];
}

function fileOf({ owner, files }: Held, path: string): FileReply {
  const wanted = checked(path);
  const file = files.find((each) => each.path === wanted);
  if (file === undefined) {
    const isDirectory = files.some((each) => each.path.startsWith(`${wanted}/`));
    throw isDirectory ? invalid(`"${wanted}" is a directory, not a file`) : absent(`The file "${wanted}"`);
  }
  return {
    name: wanted.slice(wanted.lastIndexOf('/') + 1),
    size: file.size,
    async open(): Promise<Readable> {
      const body = await owner.open(file);
      if (body !== undefined) return body;
      throw new Refusal(
        'RESOURCE_DOES_NOT_EXIST',
        `The place knows the name of "${wanted}", and does not hold its bytes`,
      );
    },
  };
}

/** A logged model that must be there. */
export async function modelOf(place: ServedPlace, model_id: string): Promise<LoggedModel> {
  return loggedModel.parse(
    there(await place.object('logged_model', model_id), `Logged model with ID '${model_id}'`),
  );
}
