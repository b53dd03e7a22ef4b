import { plainText } from '../util/plain-text.ts';

/** Cells as a table of Markdown (GitHub's); the first row is the head. */
export function markdownTable(cells: ReadonlyArray<readonly string[]>): string {
  const [head = [], ...rows] = cells;
  const line = (row: readonly string[]) => `| ${row.map(escaped).join(' | ')} |\n`;
  return `${line(head)}| ${head.map(() => '---').join(' | ')} |\n${rows.map(line).join('')}`;
}

/** What Markdown and HTML would take for something else. */
const escaped = (cell: string) => plainText(cell).replace(/[\\|`*_<>[\]]/g, '\\$&');
