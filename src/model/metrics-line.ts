import { isUtf8 } from 'node:buffer';
import type { Points } from './points.ts';
import { pointsToJson, scanPoints } from './points-json.ts';
import { MAX_POINTS } from './records.ts';

/**
 * Metrics lines as bytes, without a detour through JSON values: nearly all of an archive is made of them. Only a line as
 * it is written here is read here; of any other the slow way has to judge (kinds/wire-record.ts), which takes all of
 * these for the same.
 */

const HEAD = Buffer.from('{"kind":"metrics","run_id":');
const KEY = Buffer.from(',"key":');
const POINTS = Buffer.from(',"points":');
const END = Buffer.from('}\n');

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const SPACE = 0x20;

/** Points of one metric key of the run above it, in memory. */
export interface MetricsRecord {
  readonly kind: 'metrics';
  readonly run_id: string;
  readonly key: string;
  readonly points: Points;
}

/** The line of a record, its line end included. */
export function metricsLine({ run_id, key, points }: MetricsRecord): Buffer {
  const names = [HEAD, Buffer.from(JSON.stringify(run_id)), KEY, Buffer.from(JSON.stringify(key)), POINTS];
  return Buffer.concat([...names, pointsToJson(points), END]);
}

/** The record of a line, its line end included; `undefined` when the line is not as {@link metricsLine} writes it. */
export function scanMetricsLine(line: Uint8Array): MetricsRecord | undefined {
  if (!standsAt(line, 0, HEAD)) return undefined;
  const run_id = scanText(line, HEAD.length);
  if (run_id === undefined || run_id.text === '' || !standsAt(line, run_id.end, KEY)) return undefined;
  const key = scanText(line, run_id.end + KEY.length);
  if (key === undefined || !standsAt(line, key.end, POINTS)) return undefined;
  const points = scanPoints(line, key.end + POINTS.length, MAX_POINTS);
  if (points === undefined || !standsAt(line, points.end, END)) return undefined;
  if (points.end + END.length !== line.length) return undefined;
  return { kind: 'metrics', run_id: run_id.text, key: key.text, points: points.points };
}

function standsAt(line: Uint8Array, at: number, bytes: Uint8Array): boolean {
  for (let index = 0; index < bytes.length; index++) if (line[at + index] !== bytes[index]) return false;
  return true;
}

/** A JSON string without escapes that begins at `at`. */
function scanText(line: Uint8Array, at: number): { text: string; end: number } | undefined {
  if (line[at] !== QUOTE) return undefined;
  let end = at + 1;
  for (let byte = line[end] ?? QUOTE; byte !== QUOTE; byte = line[++end] ?? QUOTE)
    if (byte === BACKSLASH || byte < SPACE) return undefined;
  const bytes = line.subarray(at + 1, end);
  return isUtf8(bytes)
    ? { text: Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString(), end: end + 1 }
    : undefined;
}
