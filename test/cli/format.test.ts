import { Writable } from 'node:stream';
import { stripVTControlCharacters } from 'node:util';
import stringWidth from 'string-width';
import { describe, expect, it } from 'vitest';
import { formatBytes, formatCount, formatDuration } from '../../src/cli/format.ts';
import { progressLine, progressText } from '../../src/cli/progress-line.ts';
import { formatTable } from '../../src/cli/table.ts';

describe('numbers for people', () => {
  it('counts, sizes and times', () => {
    expect([
      formatCount(1234567),
      formatBytes(0),
      formatBytes(999),
      formatBytes(1500),
      formatBytes(2.5e12),
    ]).toEqual(['1,234,567', '0 B', '999 B', '1.5 kB', '2.5 TB']);
    expect([7, 185, 3725].map(formatDuration)).toEqual(['7s', '3m 05s', '1h 02m']);
  });

  it('aligns columns, numbers to the right', () => {
    expect(
      formatTable([
        ['name', 'runs'],
        ['é', '1,000'],
        ['long', '7'],
      ]),
    ).toBe('name  runs\né     1,000\nlong      7\n');
  });
});

const sink = (written: string[]) =>
  new Writable({
    write(chunk: Buffer, _, done) {
      written.push(chunk.toString());
      done();
    },
  });

describe('the progress line', () => {
  const progress = {
    experiment: 'churn',
    experiments: { done: 1, total: 2 },
    runs: { seen: 100, done: 49, failed: 1 },
    points: 1000,
    bytes: 2000,
  };

  it('shows rates and, once it can be guessed, the time left', () => {
    expect(progressText(progress, 10)).toBe(
      'experiment 1/2 churn · runs 49/100 (1 failed) · 1,000 points (100/s) · 2.0 kB (200 B/s) · ~30s left',
    );
    expect(progressText(progress, 1)).not.toContain('left');
  });

  it('is never wider than the terminal', () => {
    const written: string[] = [];
    const stderr = Object.assign(sink(written), { isTTY: true, columns: 40, rows: 20 });
    const line = progressLine({ stderr }, false, progressText, () => 0);
    line.show({ ...progress, experiment: '日本'.repeat(40) });
    line.end();
    const drawn = written.join('').split('\n').map(stripVTControlCharacters);
    expect(Math.max(...drawn.map((text) => stringWidth(text)))).toBeLessThan(40);
    expect(drawn.filter((text) => text.includes('日本'))).toHaveLength(1);
  });

  it('is written every 30 s where there is no terminal', () => {
    const written: string[] = [];
    let now = 0;
    const line = progressLine({ stderr: sink(written) }, false, progressText, () => now);
    for (; now <= 65_000; now += 1000) line.show(progress);
    line.end();
    expect(written.map((text) => text.slice(0, 22))).toEqual(Array(2).fill('experiment 1/2 churn ·'));
    expect(written.every((text) => text.endsWith('\n'))).toBe(true);
  });
});
