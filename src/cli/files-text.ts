import type { ShownFile } from '../show/show-run.ts';
import { rowsText } from './fields-text.ts';
import { formatBytes, formatCount } from './format.ts';

/** Files that are shown on a terminal or pipe; --json has all. */
const MOST = 100;

/** Files with their sizes, and how much they are together. */
export function filesText(files: readonly ShownFile[], width: number | undefined): string {
  const sizes = files.map(({ size }) => size ?? 0);
  const total = sizes.reduce((sum, size) => sum + size, 0);
  const shown = files
    .slice(0, MOST)
    .map(({ path, size }) => [path, size === undefined ? '' : formatBytes(size)]);
  const more = files.length - shown.length;
  const foot =
    files.length < 2
      ? ''
      : `${formatCount(files.length)} files, ${formatBytes(total)}${more > 0 ? ` (${formatCount(more)} not shown: --json has them)` : ''}\n`;
  return `${rowsText(['path', 'size'], shown, width)}${foot}`;
}
