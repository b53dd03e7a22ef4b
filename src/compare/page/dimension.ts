import type { Cell, Row } from '../rows.ts';

/** A row as an axis: numbers, or texts in their order. */
export interface Dimension {
  readonly id: string;
  readonly label: string;
  readonly row: Row;
  /** In the order of the runs; NaN where a run has no value. */
  readonly values: readonly number[];
  /** Of texts: what each number stands for. */
  readonly texts?: readonly string[];
}

/** A row's id in the state of the page. */
export const idOf = ({ group, name }: Row) => `${group}.${name}`;

/** A row's name for people. */
export const labelOf = ({ group, name }: Row) => (group === 'details' ? name : `${group}.${name}`);

const NUMBER = /^[-+]?(\d+\.?\d*|\.\d+)(e[-+]?\d+)?$/i;

/** A row as an axis: of numbers where all its values are such. */
export function dimensionOf(row: Row): Dimension {
  const own = { id: idOf(row), label: labelOf(row), row };
  const isNumber = (cell: Cell) => cell === undefined || typeof cell === 'number' || NUMBER.test(cell);
  if (row.cells.every(isNumber) && row.cells.some((cell) => cell !== undefined))
    return { ...own, values: row.cells.map((cell) => (cell === undefined ? Number.NaN : Number(cell))) };
  const texts = [...new Set(row.cells.flatMap((cell) => (cell === undefined ? [] : [String(cell)])))].sort();
  const positions = new Map(texts.map((text, position) => [text, position]));
  return {
    ...own,
    values: row.cells.map((cell) => positions.get(String(cell)) ?? Number.NaN),
    texts,
  };
}
