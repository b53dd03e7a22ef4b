import { Readable } from 'node:stream';
import { asMlferryError, MlferryError } from '../util/errors.ts';

/**
 * A byte stream that fails with SHORT_BODY when it has fewer or more bytes than `size` (`undefined`: not known) or
 * breaks off. `name` stands in the message.
 */
export function sizedBody(source: Readable, size: number | undefined, name: string): Readable {
  const checked = async function* () {
    let bytes = 0;
    try {
      for await (const chunk of source) {
        if (!(chunk instanceof Uint8Array))
          throw new TypeError('a byte stream gave something else than bytes');
        bytes += chunk.length;
        if (size !== undefined && bytes > size) break;
        yield chunk;
      }
    } catch (error) {
      throw asMlferryError(error, 'SHORT_BODY', `${name} broke off after ${bytes} bytes`);
    }
    if (size !== undefined && bytes !== size) {
      const found = bytes > size ? 'more' : `only ${bytes}`;
      throw new MlferryError('SHORT_BODY', `${name} should have ${size} bytes and has ${found}`);
    }
  };
  const body = Readable.from(checked(), { objectMode: false });
  // A body that is dropped before it is read never enters the loop that would end the source.
  body.once('close', () => source.destroy());
  return body;
}
