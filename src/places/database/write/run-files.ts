import { randomUUID } from 'node:crypto';
import { mkdir, readFile, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { Readable } from 'node:stream';
import { placeFile, sizeOfFile, writeBody } from '../../../artifacts/local/put-file.ts';
import { createFileListDigest, type FileList } from '../../../model/file-list.ts';
import type { Oversize, RunLoss } from '../../../model/fit-run.ts';
import { freeFileName } from '../../../model/free-file-name.ts';
import { toJson } from '../../../model/json.ts';
import { OWN_DIRECTORY } from '../../../model/own-files.ts';
import type { MlferryError } from '../../../util/errors.ts';
import type { ArtifactOwner } from '../../artifact-owner.ts';
import { isThereIn, writeFilesOf } from '../../writing/write-files.ts';
import type { Target } from './target.ts';

/** The files of a run on their way. */
export interface RunFilesJob {
  readonly target: Pick<Target, 'sourceTraits' | 'dryRun'>;
  readonly source: ArtifactOwner;
  readonly artifact_uri: string;
  /** Where they go; `undefined`: nowhere that can be reached from here. */
  readonly directory: string | undefined;
  note(loss: RunLoss): void;
  fail(path: string, error: MlferryError): void;
}

/** What became of them. */
export interface WrittenFiles {
  readonly artifacts: number;
  readonly bytes: number;
  /** Whether all that the source has is there now. */
  readonly isWhole: boolean;
  /** Whether some could not be brought, which a later copy looks for. */
  readonly isMissing: boolean;
  /** The list of the source's files, where there are any. */
  readonly list: FileList | undefined;
  /** The names that mlferry's own files may use. */
  readonly taken: ReadonlySet<string>;
}

/** Writes the files that the directory lacks, whole and durable. */
export async function writeRunFiles(job: RunFilesJob): Promise<WrittenFiles> {
  const { target, source, directory, note, fail } = job;
  const taken = new Set<string>();
  const listed: ArtifactOwner = {
    ...source,
    open: (entry) => source.open(entry),
    async *artifacts() {
      for await (const entry of source.artifacts()) {
        if (entry.path.startsWith(OWN_DIRECTORY)) taken.add(entry.path);
        yield entry;
      }
    },
  };
  if (directory === undefined) return { ...(await countUnreachable(job, listed)), taken };
  const waiting = waitingRoom(directory);
  try {
    const counts = await writeFilesOf(
      {
        source: listed,
        sourceTraits: target.sourceTraits,
        newPath: async () => (target.dryRun ? undefined : newPathIn(waiting)),
        note,
        fail,
      },
      directory,
      isThereIn(directory),
    );
    const { artifacts, bytes, failed, notCarried, list } = counts;
    return { artifacts, bytes, isWhole: failed === 0, isMissing: notCarried > 0, list, taken };
  } finally {
    if (!target.dryRun) await rm(waiting, { recursive: true, force: true });
  }
}

async function countUnreachable({ note, artifact_uri }: RunFilesJob, source: ArtifactOwner) {
  let count = 0;
  const digest = createFileListDigest();
  for await (const entry of source.artifacts()) {
    digest.add(entry);
    count += 1;
  }
  if (count > 0) {
    const detail = `its files were not copied: the artifact root ${artifact_uri} is none that can be written from here; --to-artifacts-root PATH says where the root of the database stands`;
    note({ code: 'ARTIFACTS_UNREACHABLE', count, detail });
  }
  return { artifacts: 0, bytes: 0, isWhole: true, isMissing: count > 0, list: digest.list() };
}

/** Writes one of mlferry's own files of a run, unless it is there already. */
export async function writeOwnFile(
  { target, directory, note, artifact_uri }: RunFilesJob,
  name: string,
  taken: ReadonlySet<string>,
  body: { readonly size: number; readonly open: () => Readable },
): Promise<Pick<WrittenFiles, 'artifacts' | 'bytes'>> {
  if (directory === undefined) {
    const detail = `${name} cannot be written to ${artifact_uri}: what it would hold is lost`;
    note({ code: 'ARTIFACTS_UNREACHABLE', key: name, detail });
    return { artifacts: 0, bytes: 0 };
  }
  const path = freeFileName(name, taken);
  const { size } = body;
  const file = join(directory, ...path.split('/'));
  const isSame = async () => (await readFile(file)).equals(Buffer.concat(await body.open().toArray()));
  if ((await sizeOfFile(file)) === size && (await isSame())) return { artifacts: 0, bytes: 0 };
  if (target.dryRun) return { artifacts: 1, bytes: size };
  const waiting = waitingRoom(directory);
  try {
    const temporary = await newPathIn(waiting);
    await writeBody(temporary, { body: body.open(), size, name, durable: true });
    await placeFile(temporary, directory, path);
    return { artifacts: 1, bytes: size };
  } finally {
    await rm(waiting, { recursive: true, force: true });
  }
}

/** Writes a file whose name is MLflow's own, in place of one that is there with other bytes. Whether it was written. */
export async function replaceOwnFile(
  { directory }: Pick<RunFilesJob, 'directory'>,
  path: string,
  bytes: Buffer,
): Promise<boolean> {
  if (directory === undefined) return false;
  const there = await readFile(join(directory, path)).catch(() => undefined);
  if (there?.equals(bytes) === true) return false;
  const waiting = waitingRoom(directory);
  try {
    const temporary = await newPathIn(waiting);
    const body = Readable.from([bytes], { objectMode: false });
    await writeBody(temporary, { body, size: bytes.length, name: path, durable: true });
    await placeFile(temporary, directory, path);
    return true;
  } finally {
    await rm(waiting, { recursive: true, force: true });
  }
}

/** `mlferry/oversize.json` with what the columns of the database do not hold. */
export function oversizeBody(oversize: Oversize): { size: number; open: () => Readable } {
  const bytes = Buffer.from(toJson({ format: 'mlferry-oversize', version: 1, ...oversize }));
  return { size: bytes.length, open: () => Readable.from([bytes]) };
}

/** Beside the artifacts, where MLflow does not look: a file appears among them whole. */
function waitingRoom(directory: string): string {
  return join(dirname(directory), '.mlferry-partial');
}

async function newPathIn(waiting: string): Promise<string> {
  await mkdir(waiting, { recursive: true });
  return join(waiting, randomUUID());
}
