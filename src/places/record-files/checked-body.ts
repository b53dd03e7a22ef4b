import { createHash } from 'node:crypto';
import { Readable } from 'node:stream';
import { asMlferryError, MlferryError } from '../../util/errors.ts';

/**
 * A byte stream that fails with SHORT_BODY when it has not the expected size, and with SOURCE_ITEM when it has not
 * the expected sha256. `name` stands in the message.
 */
export function checkedBody(
  chunks: AsyncIterable<Uint8Array>,
  expected: { size: number; sha256: string },
  name: string,
): Readable {
  const checked = async function* () {
    const hash = createHash('sha256');
    let size = 0;
    try {
      for await (const chunk of chunks) {
        size += chunk.length;
        if (size > expected.size) break;
        hash.update(chunk);
        yield chunk;
      }
    } catch (error) {
      throw asMlferryError(error, 'SOURCE_ITEM', `${name} cannot be read`);
    }
    if (size !== expected.size) {
      const found = size > expected.size ? 'more' : `only ${size}`;
      throw new MlferryError('SHORT_BODY', `${name} should have ${expected.size} bytes and has ${found}`);
    }
    if (hash.digest('hex') !== expected.sha256) {
      throw new MlferryError('SOURCE_ITEM', `${name} does not have the sha256 ${expected.sha256}`);
    }
  };
  return Readable.from(checked(), { objectMode: false });
}
