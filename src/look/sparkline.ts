const BARS = '▁▂▃▄▅▆▇█';

/**
 * Values as a line of bars, at most `width` of them: the mean of each stretch, between the least and the greatest of all. What
 * is no finite number is a space.
 */
export function sparkline(values: readonly number[], width: number): string {
  const bars = Math.min(width, values.length);
  const means = Array.from({ length: bars }, (_, bar) => {
    const from = Math.floor((bar * values.length) / bars);
    const part = values.slice(from, Math.floor(((bar + 1) * values.length) / bars)).filter(Number.isFinite);
    return part.reduce((sum, value) => sum + value / part.length, part.length === 0 ? Number.NaN : 0);
  });
  const finite = means.filter(Number.isFinite);
  const [least, greatest] = [Math.min(...finite), Math.max(...finite)];
  return means
    .map((mean) => {
      if (!Number.isFinite(mean)) return ' ';
      const share = greatest === least ? 0.5 : mean / 2 - least / 2;
      const whole = greatest === least ? 1 : greatest / 2 - least / 2;
      return BARS[Math.min(BARS.length - 1, Math.floor((share / whole) * BARS.length))] ?? '';
    })
    .join('');
}
