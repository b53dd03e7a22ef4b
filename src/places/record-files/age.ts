import { readFile } from 'node:fs/promises';
import { asMlferryError, MlferryError } from '../../util/errors.ts';
import { loadPackage } from '../../util/load-package.ts';
import type { Encoder } from './compress.ts';

/** Files encrypted with age (age-encryption.org/v1). The package is loaded when one is met. */

const loadAge = () => loadPackage('age-encryption', () => import('age-encryption'));

/** First bytes of an encrypted file, and of one in letters. */
const MAGIC = Buffer.from('age-encryption.org/v1');
const ARMOR = Buffer.from('-----BEGIN AGE ENCRYPTED FILE-----');
/** Bytes that tell whether a file is encrypted. */
export const AGE_START = ARMOR.length;
/** A header names recipients in lines; more than this is none (bytes). */
const MOST_HEADER = 2 ** 18;

/** Whether content is encrypted, by its first {@link AGE_START} bytes. */
export function isAge(start: Uint8Array): boolean {
  return [MAGIC, ARMOR].some((magic) => magic.equals(start.subarray(0, magic.length)));
}

/** Throws USAGE for a text that is no recipient, without showing it, and UNSUPPORTED without the package. */
export async function checkRecipients(recipients: readonly string[]): Promise<void> {
  await encrypterFor(recipients);
}

async function encrypterFor(recipients: readonly string[]) {
  const { Encrypter } = await loadAge();
  const encrypter = new Encrypter();
  for (const [index, recipient] of recipients.entries()) {
    try {
      encrypter.addRecipient(recipient);
    } catch (error) {
      throw new MlferryError('USAGE', `Recipient ${index + 1} of ${recipients.length} is none of age`, {
        cause: error,
        hint: 'A recipient is a public key that begins with age1; age-keygen -y prints that of an identity.',
      });
    }
  }
  return encrypter;
}

/** Encrypts to all of these recipients. See {@link Encoder}. */
export async function createEncrypter(
  recipients: readonly string[],
  out: (bytes: Uint8Array) => Promise<void>,
): Promise<Encoder> {
  const encrypter = await encrypterFor(recipients);
  const { readable, writable } = new TransformStream<Uint8Array, Uint8Array>();
  const writer = writable.getWriter();
  // What fails shows in the next write, and in `end`.
  writer.closed.catch(() => undefined);
  let pumped: Promise<void> | undefined;
  const pump = async () => {
    try {
      for await (const piece of await encrypter.encrypt(readable)) await out(piece);
    } catch (error) {
      writer.abort(error).catch(() => undefined);
      throw error;
    }
  };
  // Nothing comes out, not even a header, before something is written.
  const begin = () => {
    pumped ??= pump();
    pumped.catch(() => undefined);
    return pumped;
  };
  const failed = async (error: unknown): Promise<never> => {
    await pumped;
    throw error;
  };
  return {
    write: (bytes) => {
      begin();
      // Whoever gives them uses their bytes again.
      return writer.write(Buffer.from(bytes)).catch(failed);
    },
    end: async () => {
      const all = begin();
      await writer.close().catch(failed);
      await all;
    },
    destroy: async () => {
      await writer.abort(new Error('given up')).catch(() => undefined);
      await pumped?.catch(() => undefined);
    },
  };
}

/**
 * The decrypted bytes. Throws FORMAT where there is no identity and for what is written in letters, CORRUPT where none fits and for what was cut or
 * altered, USAGE for identity files that cannot be used.
 */
export async function* decryptAge(
  chunks: AsyncIterable<Uint8Array>,
  where: string,
  identityFiles: readonly string[] = [],
): AsyncGenerator<Uint8Array> {
  if (identityFiles.length === 0)
    throw new MlferryError('FORMAT', `${where} is encrypted with age`, {
      hint: '--identity FILE names the file with the key that it was encrypted to.',
    });
  const { Decrypter } = await loadAge();
  const decrypter = new Decrypter();
  for (const file of identityFiles)
    for (const [line, key] of await readIdentities(file)) {
      try {
        decrypter.addIdentity(key);
      } catch {
        throw new MlferryError('USAGE', `Line ${line} of ${file} is no identity of age`, {
          hint: 'An identity begins with AGE-SECRET-KEY-1; those of plugins, SSH and passphrases are not read: age --decrypt can be put before a pipe.',
        });
      }
    }
  let failure: unknown;
  const source = async function* () {
    try {
      yield* guardHeader(chunks, where);
    } catch (error) {
      failure ??= error;
      throw error;
    }
  };
  try {
    yield* await decrypter.decrypt(ReadableStream.from<Uint8Array>(source()));
  } catch (error) {
    if (failure !== undefined) throw failure;
    if (error instanceof MlferryError) throw error;
    if (error instanceof Error && error.message.startsWith('no identity matched'))
      throw new MlferryError(
        'CORRUPT',
        `${where} is encrypted to other keys than those of --identity, or its header was altered`,
        {
          cause: error,
          hint: 'Name the file with the key that it was encrypted to.',
        },
      );
    throw new MlferryError('CORRUPT', `${where} cannot be decrypted: it was cut or altered`, {
      cause: error,
    });
  }
}

/** Passes on what has a header that ends soon. */
async function* guardHeader(chunks: AsyncIterable<Uint8Array>, where: string): AsyncGenerator<Uint8Array> {
  let header: Buffer | undefined = Buffer.alloc(0);
  for await (const chunk of chunks) {
    if (header !== undefined) {
      header = Buffer.concat([header, chunk.subarray(0, MOST_HEADER)]);
      if (ARMOR.equals(header.subarray(0, ARMOR.length)))
        throw new MlferryError('FORMAT', `${where} is encrypted with age and written in letters`, {
          hint: 'age --decrypt reads it: put it before a pipe, and name - as the place.',
        });
      if (header.includes('\n--- ')) header = undefined;
      else if (header.length >= MOST_HEADER)
        throw new MlferryError('CORRUPT', `${where} has no header of age that ends`);
    }
    yield chunk;
  }
}

/** The keys of an identity file, with the numbers of their lines. Throws USAGE when it cannot be read. */
async function readIdentities(file: string): Promise<Array<readonly [line: number, key: string]>> {
  if (/^\s*AGE-SECRET-KEY-/i.test(file))
    throw new MlferryError('USAGE', '--identity takes a file, and was given a key', {
      hint: 'Others on the machine may have seen it: put it into a file that only you can read.',
    });
  const text = await readKeyFile(file);
  const keys = text.split('\n').flatMap((line, index) => {
    const key = line.trim();
    return key === '' || key.startsWith('#') ? [] : [[index + 1, key] as const];
  });
  if (keys.length === 0) throw new MlferryError('USAGE', `${file} has no identity in it`);
  return keys;
}

/** The recipients in a file, one a line, as `age --recipients-file` reads them. Throws USAGE when it cannot be read. */
export async function readRecipients(file: string): Promise<string[]> {
  const lines = (await readKeyFile(file)).split('\n').map((line) => line.trim());
  return lines.filter((line) => line !== '' && !line.startsWith('#'));
}

async function readKeyFile(file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8');
  } catch (error) {
    throw asMlferryError(error, 'USAGE', `${file} cannot be read`);
  }
}
