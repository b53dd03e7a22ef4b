import { isUtf8 } from 'node:buffer';
import ndjson from 'ndjson';
import { z } from 'zod';
import { FORMAT_VERSION, KINDS } from '../../kinds/kinds.ts';
import { parseRecord, type WireProblem, type WireRecord } from '../../kinds/wire-record.ts';
import { scanMetricsLine } from '../../model/metrics-line.ts';
import { MlferryError } from '../../util/errors.ts';
import { splitLines } from '../../util/split-lines.ts';

/** One decoded line. `line` holds its bytes with the line end; they must stay what they are while its points have no columns. */
export interface RecordLine {
  readonly record: WireRecord;
  readonly line: Uint8Array;
  /** 1 for the first line. */
  readonly number: number;
  /** Of its first byte, counted from the first line. */
  readonly offset: number;
}

const OPENING_BRACE = 0x7b;

/** What a header of any version has, so that a newer one is told from a damaged one. */
const anyHeader = z.looseObject({
  kind: z.literal('header'),
  format: z.literal('mlferry'),
  version: z.int(),
});
/** Lines that are no objects. */
const LINES = ['header', 'metrics', 'artifact', 'object_artifact', 'left_behind', 'end'];
const anyRecord = z.looseObject({ kind: z.string() });

/**
 * The records of a byte stream, each checked by its schema, not yet by what came before it (see record-index.ts).
 * `where` names the stream in errors; with `from` it begins in the middle of one. Throws CORRUPT, TRUNCATED, and
 * FORMAT for a newer version, naming the line.
 */
export async function* decodeRecords(
  chunks: AsyncIterable<Uint8Array>,
  where: string,
  from: { number: number; offset: number } = { number: 1, offset: 0 },
): AsyncGenerator<RecordLine> {
  let { number, offset } = from;
  let version = FORMAT_VERSION;
  const judge = (line: Uint8Array): WireRecord => {
    const at = `${where}, line ${number}`;
    const value = parseLine(line, at);
    if (number === 1) version = knownVersion(value, where);
    const { record, problem } = parseRecord(value, version);
    if (problem !== undefined) throw new MlferryError('CORRUPT', `${at} ${problemText(value, problem)}`);
    return record;
  };
  for await (const line of splitLines(chunks, where)) {
    const record = (number > 1 && scanMetricsLine(line)) || judge(line);
    yield { record, line, number, offset };
    number += 1;
    offset += line.length;
  }
}

/** Refuses a first line that is no header, see {@link decodeRecords}. */
export function mustBeHeader(line: Uint8Array, where: string): void {
  knownVersion(parseLine(line, `${where}, line 1`), where);
}

/** The format version a header tells. Throws CORRUPT when it is none, FORMAT when it is newer than this mlferry's. */
function knownVersion(value: unknown, where: string): number {
  const known = anyHeader.safeParse(value);
  if (!known.success) {
    throw new MlferryError(
      'CORRUPT',
      `${where} does not begin with the header of an mlferry stream or archive`,
      {
        hint: 'Was it made by mlferry backup or mlferry export?',
      },
    );
  }
  if (known.data.version > FORMAT_VERSION) {
    throw new MlferryError(
      'FORMAT',
      `${where} has format version ${known.data.version}; this mlferry reads up to version ${FORMAT_VERSION}`,
    );
  }
  return known.data.version;
}

function problemText(value: unknown, { path, message }: WireProblem): string {
  const { data } = anyRecord.safeParse(value);
  if (data === undefined) return 'is not a record: it has no kind';
  if (path === 'kind')
    return `has the kind ${JSON.stringify(data.kind.slice(0, 50))}, which this format version does not know`;
  const of = [...LINES, ...KINDS.map(({ kind }) => kind)].includes(data.kind) ? data.kind : 'record';
  return `is no valid ${of}: ${path === '' ? '' : `${path}: `}${message}`.slice(0, 300);
}

/**
 * `ndjson.parse` one line at a time, behind the guards it lacks: it would make U+FFFD of broken UTF-8, skip empty
 * lines, and end silently at a line that is `null`. The package parses within `write`, so the answer can be read at once.
 */
function parseLine(line: Uint8Array, at: string): unknown {
  if (line.length > 2 ** 20 && holdsTooMuch(line))
    throw new MlferryError('CORRUPT', `${at} holds too many values`);
  if (!isUtf8(line)) throw new MlferryError('CORRUPT', `${at} is not valid UTF-8`);
  if (line[0] !== OPENING_BRACE) throw new MlferryError('CORRUPT', `${at} is not a JSON object`);
  lines ??= lineParser();
  const value = lines(line);
  if (value !== null) return value;
  // Nobody knows what is left in a parser that has failed.
  lines = undefined;
  throw new MlferryError('CORRUPT', `${at} is not valid JSON`);
}

/** One for all: a stream for every run would cost more than its lines. */
let lines: ((line: Uint8Array) => unknown) | undefined;

/** Gives the value of a line, `null` when it has none. */
function lineParser(): (line: Uint8Array) => unknown {
  const parser = ndjson.parse({ strict: true });
  let refused = false;
  parser.on('error', () => {
    refused = true;
  });
  return (line) => {
    parser.write(line);
    const value: unknown = parser.read();
    return refused ? null : value;
  };
}

const MOST_VALUES = 1_000_000;

/** Whether a line would become so many arrays, objects and values that they would not fit in memory. */
function holdsTooMuch(line: Uint8Array): boolean {
  let values = 0;
  let inString = false;
  for (let i = 0; i < line.length; i++) {
    const byte = line[i];
    if (inString) {
      if (byte === 0x5c) i += 1;
      else if (byte === 0x22) inString = false;
    } else if (byte === 0x22) inString = true;
    else if (byte === 0x2c || byte === 0x5b || byte === 0x7b) values += 1;
  }
  return values > MOST_VALUES;
}
