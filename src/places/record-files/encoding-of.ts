import { MlferryError } from '../../util/errors.ts';
import type { WriterOptions } from '../place-options.ts';
import { checkRecipients, readRecipients } from './age.ts';
import type { Encoding } from './encoder.ts';
import { type Compression, isEncryptedByName } from './file-compression.ts';

/**
 * What a file is made of its content, by its name and the options. Throws USAGE where the name says that it is encrypted and nothing
 * says to whom, for what is no recipient, and where bytes of files would lie beside it as they are.
 */
export async function encodingOf(
  { path, compression }: { readonly path: string | undefined; readonly compression: Compression },
  { encryptTo = [], recipientsFiles = [], artifactsDir }: WriterOptions,
): Promise<Encoding> {
  const recipients = [...encryptTo, ...(await Promise.all(recipientsFiles.map(readRecipients))).flat()];
  if (path !== undefined && isEncryptedByName(path) && recipients.length === 0)
    throw new MlferryError('USAGE', `${path} is to be encrypted by its name`, {
      hint: '--encrypt-to age1… says for whom.',
    });
  if (recipients.length > 0 && artifactsDir !== undefined)
    throw new MlferryError('USAGE', 'The files in --artifacts-dir would not be encrypted', {
      hint: 'An archive (mlferry backup) holds them, and is encrypted as a whole.',
    });
  if (recipients.length > 0) await checkRecipients(recipients);
  return { compression, recipients };
}
