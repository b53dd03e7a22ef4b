import { fromServerJson } from './json.ts';

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COMMA = 0x2c;
const OPEN_LIST = 0x5b;
const OPEN_OBJECT = 0x7b;
const CLOSE_LIST = 0x5d;
const CLOSE_OBJECT = 0x7d;

/** Most bytes of one element of the list, and of all that is around the list: a metric's key has 250 characters. */
const MAX_PART = 2 ** 20;

/** Calls `onElements` with each batch of {@link jsonList}; returned is the object with the list left empty. */
export async function splitJsonList(
  body: AsyncIterable<Uint8Array>,
  onElements: (elements: readonly unknown[]) => Promise<void>,
): Promise<unknown> {
  const batches = jsonList(body);
  for (;;) {
    const { done, value } = await batches.next();
    if (done) return value;
    await onElements(value);
  }
}

/**
 * Reads a JSON object that holds one long list (`{"metrics": [{…}, …], "next_page_token": …}`) without ever having it
 * whole in memory: the elements of the list in batches, parsed; returned is the object with the list left empty. Throws
 * SyntaxError on anything else, also on a body that ends early.
 */
export async function* jsonList(
  body: AsyncIterable<Uint8Array>,
): AsyncGenerator<readonly unknown[], unknown, void> {
  const frame: Uint8Array[] = [];
  let frameBytes = 0;
  const toFrame = (bytes: Uint8Array) => {
    frame.push(bytes);
    frameBytes += bytes.length;
    if (frameBytes > MAX_PART) throw new SyntaxError('too much stands around the list');
  };
  let depth = 0;
  let inString = false;
  let escaped = false;
  let pending: Uint8Array = new Uint8Array(0);

  for await (const chunk of body) {
    const bytes = pending.length === 0 ? chunk : Buffer.concat([pending, chunk]);
    let from = 0;
    let lastElementEnd = -1;
    const scanFrom = pending.length;
    for (let at = scanFrom; at < bytes.length; at++) {
      const byte = bytes[at] ?? 0;
      if (inString) {
        if (escaped) escaped = false;
        else if (byte === BACKSLASH) escaped = true;
        else if (byte === QUOTE) inString = false;
      } else if (byte === QUOTE) inString = true;
      else if (byte === OPEN_OBJECT || byte === OPEN_LIST) {
        depth++;
        if (depth === 2) {
          toFrame(bytes.slice(from, at + 1));
          from = at + 1;
        }
      } else if (byte === CLOSE_OBJECT || byte === CLOSE_LIST) {
        depth--;
        if (depth === 1) {
          if (at > from) yield parseElements(bytes.subarray(from, at));
          from = at;
          lastElementEnd = -1;
        }
      } else if (byte === COMMA && depth === 2) lastElementEnd = at;
    }
    if (depth >= 2 && lastElementEnd > from) {
      yield parseElements(bytes.subarray(from, lastElementEnd));
      from = lastElementEnd + 1;
    }
    if (depth < 2) {
      toFrame(bytes.slice(from));
      from = bytes.length;
    }
    pending = bytes.slice(from);
    if (pending.length > MAX_PART) throw new SyntaxError('an element of the list is too long');
  }
  if (depth !== 0) throw new SyntaxError('the answer ends early');
  return fromServerJson(decode(Buffer.concat(frame)));
}

function parseElements(bytes: Uint8Array): unknown[] {
  const elements = fromServerJson(`[${decode(bytes)}]`);
  if (!Array.isArray(elements)) throw new SyntaxError('not a list');
  return elements;
}

function decode(bytes: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    throw new SyntaxError('the answer is not UTF-8 text');
  }
}
