import { createReadStream } from 'node:fs';
import { constants, type FileHandle, open } from 'node:fs/promises';
import { z } from 'zod';
import { writeAll } from '../../util/byte-spool.ts';
import { asMlferryError } from '../../util/errors.ts';
import { splitLines } from '../../util/split-lines.ts';
import { openPartialDirectory, type PartialDirectory } from './partial-directory.ts';

const hex = z.string().regex(/^[0-9a-f]{64}$/);
const length = z.int().nonnegative();

/** First line: the hash of all that two commands must have in common for one to go on with the other's file. */
const jobLine = z.strictObject({ kind: z.literal('job'), version: z.literal(1), key: hex });

/** An entry of an archive, as its index has it. */
const entryLine = z.strictObject({
  kind: z.literal('entry'),
  name: z.string(),
  size: length,
  sha256: hex,
  offset: length,
});

/**
 * Up to here an experiment or run is whole: `data` bytes of the data file belong to it and what came before, `lines` bytes
 * of all record lines with their `sha256`. `noted`: reading it brought a loss, which only reading it again will tell.
 */
const commitLine = z.strictObject({
  kind: z.literal('commit'),
  data: length,
  lines: length,
  sha256: hex,
  noted: z.boolean(),
});

const journalLine = z.discriminatedUnion('kind', [jobLine, entryLine, commitLine]);
export type JournalLine = z.infer<typeof journalLine>;
export type EntryLine = z.infer<typeof entryLine>;
export type CommitLine = z.infer<typeof commitLine>;

/** A line that was read, and where the next one begins. */
export interface ReadLine<T extends JournalLine = JournalLine> {
  readonly line: T;
  readonly end: number;
}

/** What is known of a file that is not whole yet: one JSON object a line, only ever appended. */
export interface PartialJournal {
  append(line: JournalLine): Promise<void>;
  /** The lines up to the first that is torn or damaged. */
  read(): AsyncGenerator<ReadLine>;
  /** Forgets all from byte `length` on. */
  cut(length: number): Promise<void>;
  close(): Promise<void>;
}

/**
 * Opens the partial directory and the journal of the file `path` and hands them to `use`; if that fails they are closed,
 * and what an earlier attempt left stays. Throws as {@link openPartialDirectory}.
 */
export async function openPartial<T>(
  path: string,
  overwrite: boolean,
  use: (partial: PartialDirectory, journal: PartialJournal) => Promise<T>,
): Promise<T> {
  const partial = await openPartialDirectory(path, overwrite);
  let journal: PartialJournal | undefined;
  try {
    journal = await openPartialJournal(partial);
    return await use(partial, journal);
  } catch (error) {
    await journal?.close();
    await partial.leave(!partial.isNew);
    throw error;
  }
}

/** Opens the journal of a partial directory. Throws LOCATION when it cannot be made, NO_SPACE. */
async function openPartialJournal(partial: PartialDirectory): Promise<PartialJournal> {
  const path = partial.file('journal.ndjson');
  const failed = (error: unknown) => asMlferryError(error, 'LOCATION', `${path} cannot be written`);
  const file: FileHandle = await open(path, constants.O_RDWR | constants.O_CREAT).catch((error: unknown) => {
    throw failed(error);
  });
  let position = 0;
  return {
    append: async (line) => {
      const bytes = Buffer.from(`${JSON.stringify(line)}\n`);
      try {
        await writeAll(file, bytes, position);
      } catch (error) {
        throw failed(error);
      }
      position += bytes.length;
    },
    read: async function* () {
      let end = 0;
      try {
        for await (const bytes of splitLines(createReadStream(path), path)) {
          const line = parse(bytes);
          if (line === undefined) return;
          end += bytes.length;
          yield { line, end };
        }
      } catch {
        // A torn end: what came before it stands.
      }
    },
    cut: async (length) => {
      try {
        await file.truncate(length);
      } catch (error) {
        throw failed(error);
      }
      position = length;
    },
    close: () => file.close(),
  };
}

function parse(bytes: Uint8Array): JournalLine | undefined {
  try {
    return journalLine.parse(JSON.parse(Buffer.from(bytes).toString('utf8')));
  } catch {
    return undefined;
  }
}
