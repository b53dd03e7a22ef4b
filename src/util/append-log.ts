import { open } from 'node:fs/promises';
import { asMlferryError } from './errors.ts';

/** A file that only grows, line by line. */
export interface AppendLog {
  /** Writes a line; with `durable` it has reached the disk when this returns. Throws NO_SPACE and what the disk says. */
  append(line: string, durable: boolean): Promise<void>;
  close(): Promise<void>;
}

/**
 * Opens a file for appending after its first `length` bytes; the rest (a torn line) is cut off. Lines that come while
 * others are being written go out together: many callers share one write and one fsync. A write that fails leaves no
 * half line behind.
 */
export async function openAppendLog(path: string, length: number): Promise<AppendLog> {
  const handle = await open(path, 'a', 0o600).catch((error: unknown) => {
    throw asMlferryError(error, 'DENIED', `The journal ${path} cannot be written`);
  });
  try {
    await handle.truncate(length);
  } catch (error) {
    await handle.close();
    throw asMlferryError(error, 'DENIED', `The journal ${path} cannot be written`);
  }
  let end = length;
  let waiting: string[] = [];
  let isDurable = false;
  let next: Promise<void> | undefined;
  let last: Promise<void> = Promise.resolve();

  async function flush(): Promise<void> {
    await last.catch(() => undefined);
    const bytes = Buffer.from(waiting.join(''));
    const durable = isDurable;
    waiting = [];
    isDurable = false;
    next = undefined;
    last = write(bytes, durable);
    await last;
  }

  async function write(bytes: Buffer, durable: boolean): Promise<void> {
    try {
      await handle.appendFile(bytes);
      if (durable) await handle.datasync();
      end += bytes.length;
    } catch (error) {
      await handle.truncate(end).catch(() => undefined);
      throw asMlferryError(error, 'DENIED', `The journal ${path} cannot be written`);
    }
  }

  return {
    append(line, durable) {
      waiting.push(`${line}\n`);
      isDurable ||= durable;
      next ??= flush();
      return next;
    },
    async close() {
      await next?.catch(() => undefined);
      await last.catch(() => undefined);
      await handle.close();
    },
  };
}
