import { InvalidArgumentError } from 'commander';

const UNITS: Readonly<Record<string, number>> = {
  '': 1,
  K: 1e3,
  M: 1e6,
  G: 1e9,
  T: 1e12,
  Ki: 2 ** 10,
  Mi: 2 ** 20,
  Gi: 2 ** 30,
  Ti: 2 ** 40,
};

/** Bytes of a text as `1000`, `500k`, `20M`, `1.5GB` (powers of 1000) or `1GiB` (of 1024). */
export function parseSize(text: string): number {
  const [, digits, unit = ''] = /^(\d+(?:\.\d+)?)\s*([kKMGT]i?)?[bB]?$/.exec(text.trim()) ?? [];
  const factor = UNITS[unit.replace('k', 'K')];
  const bytes = Math.floor(Number(digits) * (factor ?? Number.NaN));
  if (!Number.isSafeInteger(bytes) || bytes < 1)
    throw new InvalidArgumentError('It is no size: 1000, 500k, 20M, 1.5GB or 1GiB.');
  return bytes;
}
