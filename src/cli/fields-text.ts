import { printable } from '../util/plain-text.ts';
import { redact } from '../util/redact.ts';
import { formatTable } from './table.ts';

/** A field of what is shown; what has no value is left out. */
export type Field = readonly [name: string, value: string | undefined];

/** Fields as lines, their values below each other. */
export function fieldsText(fields: readonly Field[], width: number | undefined): string {
  const rows = fields.flatMap(([name, value]) =>
    value === undefined || value === '' ? [] : [[name, value]],
  );
  return rows.length === 0 ? '' : formatTable(rows, width);
}

/** A part with its head; nothing where it is empty. */
export function section(head: string, body: string): string {
  if (body === '') return '';
  const lines = body.trimEnd().split('\n');
  return `\n${head}\n${lines.map((line) => `  ${line}`.trimEnd()).join('\n')}\n`;
}

/** The rows of a table with their head; nothing where there are none. */
export function rowsText(
  heads: readonly string[],
  rows: ReadonlyArray<readonly string[]>,
  width: number | undefined,
): string {
  return rows.length === 0 ? '' : formatTable([heads, ...rows], width === undefined ? undefined : width - 2);
}

/** A text of several lines, each safe to print. */
export function linesText(text: string | undefined): string {
  return text === undefined
    ? ''
    : text
        .split(/\r\n|\r|\n/)
        .map(printable)
        .join('\n');
}

/** Params or tags as a table, without the credentials of addresses in them. */
export function mapText(map: Readonly<Record<string, string>>, width: number | undefined): string {
  const rows = Object.entries(map)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([key, value]) => [key, redact(value)]);
  return rows.length === 0 ? '' : formatTable(rows, width === undefined ? undefined : width - 2);
}
