import { createHash } from 'node:crypto';

/** What tells the list of a run's files from another one: hex digests of 128 bits. */
export interface FileList {
  /** Of paths and sizes. */
  readonly sizes: string;
  /** Of paths and sha256 of the bytes, where every file came with one. */
  readonly content: string | undefined;
}

/** What is known of a file. */
interface ListedFile {
  readonly path: string;
  readonly size?: number | undefined;
  readonly sha256?: string | undefined;
}

/** What a source tells of a run's files before they are asked for: their list; nothing, where there are none; or that it tells nothing. */
export type ToldFiles = FileList | undefined | 'unlisted';

/** Takes the files of a list in the order of their paths. */
export interface FileListDigest {
  add(file: ListedFile): void;
  /** `undefined` when there were none. */
  list(): FileList | undefined;
}

/** A {@link FileListDigest} of no files yet. */
export function createFileListDigest(): FileListDigest {
  const sizes = createHash('sha256');
  const content = createHash('sha256');
  let isHashed = true;
  let isEmpty = true;
  const hex = (hash: typeof sizes) => hash.copy().digest('hex').slice(0, 32);
  return {
    add: ({ path, size, sha256 }) => {
      sizes.update(`${JSON.stringify([path, size ?? null])}\n`);
      content.update(`${JSON.stringify([path, sha256 ?? null])}\n`);
      isHashed &&= sha256 !== undefined;
      isEmpty = false;
    },
    list: () => (isEmpty ? undefined : { sizes: hex(sizes), content: isHashed ? hex(content) : undefined }),
  };
}

/** The list of these files, `undefined` when there are none. */
export async function fileListOf(files: AsyncIterable<ListedFile>): Promise<FileList | undefined> {
  const digest = createFileListDigest();
  for await (const file of files) digest.add(file);
  return digest.list();
}

const NONE = '-';
const RECORDED = 'recorded';

/** Of a copy that lacks files of its source: it fits no list. */
const FILES_MISSING = 'missing';

/**
 * A list as the text of a tag. `recorded`: it is that of an archive, stream or export, which may have been taken with fewer files
 * than its source has.
 */
function fileListText(list: FileList | undefined, recorded: boolean): string {
  const words = [list?.sizes ?? NONE, list?.content ?? (recorded ? NONE : [])].flat();
  return [...words, ...(recorded ? [RECORDED] : [])].join(' ');
}

/**
 * Whether a copy has had all files of a list, as exactly as the list can tell; the text is that of the list from which they were
 * last copied. Of a source that tells no list it has had them unless something says that it has not.
 */
export function isListed(wanted: ToldFiles, text: string | undefined): boolean {
  if (wanted === undefined) return true;
  const [sizes, content, origin] = text?.split(' ') ?? [];
  if (wanted === 'unlisted') return sizes !== FILES_MISSING && origin !== RECORDED;
  return wanted.sizes === sizes && (wanted.content === undefined || wanted.content === content);
}

/** What a look at the files of a run has shown. */
export interface LookedAt {
  /** What the source told before. */
  readonly told: ToldFiles;
  /** The files as they were looked at; `undefined`: there are none. */
  readonly found: FileList | undefined;
  /** The source is an archive, stream or export. */
  readonly recorded: boolean;
  /** Some of them could not be brought. */
  readonly isMissing: boolean;
  /** What the copy says so far. */
  readonly text: string | undefined;
}

/** The text to set on a copy whose files were just looked at; `undefined`: none. */
export function newFileListText({ told, found, recorded, isMissing, text }: LookedAt): string | undefined {
  if (isMissing) return FILES_MISSING;
  // Files may change on their way: a list that the source told is what it will tell again.
  const list = told === 'unlisted' ? found : told;
  const isNews = list !== undefined || recorded || (told === 'unlisted' && text !== undefined);
  return isNews ? fileListText(list, recorded) : undefined;
}
