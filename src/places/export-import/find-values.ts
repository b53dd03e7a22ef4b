/** A value of a JSON document and where it stands: bytes `start` to `end`. */
export interface FoundValue {
  /** Keys of the objects it stands in, outermost first, and its own. */
  readonly path: readonly string[];
  readonly start: number;
  readonly end: number;
  /** Absent of a value that is only located. */
  readonly text: string | undefined;
}

/** Finds values in a document that comes in pieces. */
export interface ValueFinder {
  /** The values that end in this piece. Throws SyntaxError for what cannot be JSON. */
  push(piece: Uint8Array): FoundValue[];
  /** Throws SyntaxError when the document is not whole. */
  end(): void;
}

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COMMA = 0x2c;
const COLON = 0x3a;
const OPEN = 0x7b;
const CLOSE = 0x7d;
const OPEN_LIST = 0x5b;
const CLOSE_LIST = 0x5d;

const isSpace = (byte: number) => byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09;

/** Most bytes of a value that is kept (a long tag has some thousand). */
const MAX_KEPT = 64 * 2 ** 20;

/**
 * Walks through a JSON document that may be too long for a string. An object of which `opens` is true is gone through, member
 * by member; every other value is given whole, or only located where `locates` is true of it. Values themselves are not checked.
 */
export function createValueFinder(
  opens: (path: readonly string[]) => boolean,
  locates: (path: readonly string[]) => boolean,
): ValueFinder {
  let state: 'value' | 'key or end' | 'key' | 'in key' | 'colon' | 'in value' | 'after' | 'end' = 'value';
  const path: string[] = [];
  /** Objects that are open; the path has one key more while a member's value is read. */
  let open = 0;
  /** Within a value that is not gone through. */
  let depth = 0;
  let inString = false;
  let escaped = false;
  let isScalar = false;
  let start = 0;
  let offset = 0;
  let kept: Uint8Array[] | undefined;
  let keptBytes = 0;

  const fail = (): never => {
    throw new SyntaxError('it is not JSON');
  };
  const keep = (bytes: Uint8Array) => {
    if (kept === undefined) return;
    keptBytes += bytes.length;
    if (keptBytes > MAX_KEPT) throw new SyntaxError('a value in it is too long');
    kept.push(bytes.slice());
  };
  const taken = () => {
    if (kept === undefined) return undefined;
    try {
      return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(Buffer.concat(kept));
    } catch {
      throw new SyntaxError('it is not UTF-8 text');
    }
  };
  const begin = (at: number, keeps: boolean) => {
    start = offset + at;
    kept = keeps ? [] : undefined;
    keptBytes = 0;
    inString = false;
    escaped = false;
  };
  const afterValue = () => {
    path.length = Math.max(0, open - 1);
    state = open === 0 ? 'end' : 'after';
  };

  /** Where the value, or the key, that is being read ends in this piece; -1 when it goes on. */
  function endOf(piece: Uint8Array, from: number): number {
    for (let at = from; at < piece.length; at++) {
      const byte = piece[at] ?? 0;
      if (inString) {
        if (escaped) escaped = false;
        else if (byte === BACKSLASH) escaped = true;
        else if (byte === QUOTE) {
          inString = false;
          if (depth === 0) return at + 1;
        }
      } else if (isScalar) {
        if (byte === COMMA || byte === CLOSE || isSpace(byte)) return at;
      } else if (byte === QUOTE) inString = true;
      else if (byte === OPEN || byte === OPEN_LIST) depth++;
      else if (byte === CLOSE || byte === CLOSE_LIST) {
        depth--;
        if (depth === 0) return at + 1;
      }
    }
    return -1;
  }

  return {
    push(piece) {
      const found: FoundValue[] = [];
      let at = 0;
      while (at < piece.length) {
        const byte = piece[at] ?? 0;
        if (state === 'in value' || state === 'in key') {
          const end = endOf(piece, at);
          keep(piece.subarray(at, end === -1 ? piece.length : end));
          if (end === -1) break;
          at = end;
          const text = taken();
          if (state === 'in value') {
            found.push({ path: [...path], start, end: offset + at, text });
            afterValue();
          } else {
            const key: unknown = JSON.parse(text ?? '');
            if (typeof key !== 'string') return fail();
            path.push(key);
            state = 'colon';
          }
          continue;
        }
        if (isSpace(byte)) at++;
        else if (state === 'value') {
          if (byte === OPEN && opens(path)) {
            open++;
            at++;
            state = 'key or end';
            continue;
          }
          begin(at, !locates(path));
          depth = 0;
          isScalar = byte !== QUOTE && byte !== OPEN && byte !== OPEN_LIST;
          state = 'in value';
        } else if (byte === QUOTE && (state === 'key' || state === 'key or end')) {
          begin(at, true);
          depth = 0;
          isScalar = false;
          state = 'in key';
        } else if (byte === CLOSE && (state === 'after' || state === 'key or end')) {
          open--;
          at++;
          afterValue();
        } else if (byte === COMMA && state === 'after') {
          at++;
          state = 'key';
        } else if (byte === COLON && state === 'colon') {
          at++;
          state = 'value';
        } else fail();
      }
      offset += piece.length;
      return found;
    },
    end() {
      if (state !== 'end') throw new SyntaxError('it ends early');
    },
  };
}
