import stringWidth from 'string-width';
import { printable } from '../util/plain-text.ts';
import { cut } from './cut.ts';

/** Rows that decide how wide the columns are; those behind them may be wider. */
const MEASURED = 1000;
/** Narrower than this no column is made. */
const LEAST = 3;
const GAP = 2;

/** A table that is printed as its rows come. */
export interface TablePrinter {
  add(row: readonly string[]): void;
  end(): void;
}

const plain = (row: readonly string[]) => row.map(printable);

/**
 * Columns aligned by the cells that their texts take on a terminal, numbers (digits, commas, points, units) to the right.
 * `width`: cells of a line; the widest columns are cut until they fit, but for `whole`, a column that is to be copied from.
 * Without a width nothing is cut. What comes from outside cannot move the cursor or turn text round.
 */
export function tablePrinter(
  write: (text: string) => void,
  heads: readonly string[],
  width?: number,
  whole?: string,
): TablePrinter {
  let waiting: Array<readonly string[]> | undefined = [plain(heads)];
  let widths: readonly number[] = [];
  const flush = () => {
    if (waiting === undefined) return;
    widths = fitted(widest(waiting), width, whole === undefined ? -1 : heads.indexOf(whole));
    for (const row of waiting) write(line(row, widths));
    waiting = undefined;
  };
  return {
    add(row) {
      if (waiting === undefined) {
        write(line(plain(row), widths));
        return;
      }
      waiting.push(plain(row));
      if (waiting.length > MEASURED) flush();
    },
    end: flush,
  };
}

/** A whole table, see {@link tablePrinter}; the first row is the head. */
export function formatTable(cells: ReadonlyArray<readonly string[]>, width?: number): string {
  const rows = cells.map(plain);
  const widths = fitted(widest(rows), width);
  return rows.map((row) => line(row, widths)).join('');
}

function widest(rows: ReadonlyArray<readonly string[]>): number[] {
  const widths: number[] = [];
  for (const row of rows)
    for (const [column, cell] of row.entries())
      widths[column] = Math.max(widths[column] ?? 0, stringWidth(cell));
  return widths;
}

/** Takes cells off the widest column until a line has room. */
function fitted(widths: readonly number[], room = Number.POSITIVE_INFINITY, whole = -1): readonly number[] {
  const fit = [...widths];
  const total = () => fit.reduce((sum, width) => sum + width + GAP, -GAP);
  while (total() > room) {
    const most = Math.max(...fit.filter((_, column) => column !== whole));
    if (most <= LEAST) break;
    fit[fit.findIndex((cells, column) => cells === most && column !== whole)] = most - 1;
  }
  return fit;
}

function line(row: readonly string[], widths: readonly number[]): string {
  const cells = row.map((cell, column) => {
    const room = widths[column] ?? 0;
    const shown = cut(cell, room);
    const gap = ' '.repeat(Math.max(0, room - stringWidth(shown)));
    return /^-?[\d,.]+(e[+-]?\d+)?( [kMGT]?B)?$/.test(shown) ? gap + shown : shown + gap;
  });
  return `${cells.join(' '.repeat(GAP)).trimEnd()}\n`;
}
