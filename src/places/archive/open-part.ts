import { createReadStream } from 'node:fs';
import { type FileHandle, open, rename } from 'node:fs/promises';
import { z } from 'zod';
import { writeAll } from '../../util/byte-spool.ts';
import { asMlferryError, systemCode } from '../../util/errors.ts';
import { splitLines } from '../../util/split-lines.ts';
import type { PartialDirectory } from '../record-files/partial-directory.ts';
import type { PartWriter } from './part-writer.ts';

/** Keeps the record lines that no part of the archive holds yet in a file: a crash must not take them. */
export interface OpenPart {
  /** Writes what has come since the last time. `lines`: bytes of all record lines so far. */
  save(parts: PartWriter, lines: number): Promise<void>;
  /** The lines that were saved last, and where they begin among all. To be read or given back by `return`. */
  read(): Promise<{ start: number; lines: AsyncGenerator<Uint8Array> } | undefined>;
  close(): Promise<void>;
}

const firstLine = z.strictObject({ kind: z.literal('open-part'), start: z.int().nonnegative() });

/** The open part of an archive that comes to be in `partial`. */
export function createOpenPart(partial: PartialDirectory): OpenPart {
  const path = partial.file('open-part.ndjson');
  let file: FileHandle | undefined;
  let part: number | undefined;
  let saved = 0;
  let position = 0;

  const put = async (bytes: Uint8Array) => {
    if (file === undefined) return;
    await writeAll(file, bytes, position);
    position += bytes.length;
  };
  /** The old file stays until the new one has all that it needs. */
  const beginAnew = async (parts: PartWriter, lines: number) => {
    await file?.close();
    file = await open(`${path}.new`, 'w');
    position = 0;
    await put(Buffer.from(`${JSON.stringify({ kind: 'open-part', start: lines - parts.openLength() })}\n`));
    await put(parts.openLines(0));
    await rename(`${path}.new`, path);
    part = parts.count();
  };
  return {
    save: async (parts, lines) => {
      try {
        if (part !== parts.count()) await beginAnew(parts, lines);
        else await put(parts.openLines(saved));
        saved = parts.openLength();
      } catch (error) {
        throw asMlferryError(error, 'LOCATION', `${path} cannot be written`);
      }
    },
    read: async () => {
      const all = splitLines(readFrom(path), path);
      const first = await all.next().catch((error: unknown) => {
        if (systemCode(error) !== undefined) throw error;
        return undefined;
      });
      const start = first?.done === false ? startOf(first.value) : undefined;
      if (start !== undefined) return { start, lines: all };
      await all.return(undefined);
      return undefined;
    },
    close: async () => {
      await file?.close();
      file = undefined;
    },
  };
}

async function* readFrom(path: string): AsyncGenerator<Uint8Array> {
  try {
    for await (const piece of createReadStream(path)) if (piece instanceof Uint8Array) yield piece;
  } catch (error) {
    if (systemCode(error) !== 'ENOENT') throw error;
  }
}

function startOf(line: Uint8Array): number | undefined {
  try {
    return firstLine.parse(JSON.parse(Buffer.from(line).toString('utf8'))).start;
  } catch {
    return undefined;
  }
}
