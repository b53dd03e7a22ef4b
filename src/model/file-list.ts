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

/** A list as the text of a tag. */
export const fileListText = ({ sizes, content }: FileList): string =>
  content === undefined ? sizes : `${sizes} ${content}`;

/**
 * Whether a copy has had all files of a list, as exactly as the list can tell; the text is that of the list from which they were
 * last copied.
 */
export function isListed(wanted: FileList | undefined, text: string | undefined): boolean {
  if (wanted === undefined) return true;
  const [sizes, content] = text?.split(' ') ?? [];
  return wanted.sizes === sizes && (wanted.content === undefined || wanted.content === content);
}
