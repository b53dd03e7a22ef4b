import type { ComparedHistory, ComparedRun, Comparison } from '../../src/compare/comparison.ts';

/** Numbers that are the same each time. */
function numbers(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state * 1664525 + 1013904223) % 2 ** 32;
    return state / 2 ** 32;
  };
}

const KINDS = ['adam', 'sgd', 'lion'];

/** A comparison of made-up runs: `columns` params and metrics, and histories of the first runs. */
export function manyRuns(
  count: number,
  { columns = 10, histories = 20, keys = 2, points = 100 } = {},
): Comparison {
  const random = numbers(7);
  const runs = Array.from({ length: count }, (_, index): ComparedRun => {
    const rate = 10 ** (-4 + 3 * random());
    const depth = 2 + Math.floor(random() * 12);
    const kind = KINDS[Math.floor(random() * KINDS.length)] ?? '';
    const loss =
      (Math.log10(rate) + 2.4) ** 2 / 3 + (depth - 7) ** 2 / 60 + random() / 8 + (kind === 'sgd' ? 0.2 : 0.1);
    const more = Array.from({ length: columns }, (_, column): [string, string] => [
      `option_${column}`,
      String(Math.floor(random() * (column + 1))),
    ]);
    const start_time = 1_760_000_000_000 + index * 60_000;
    return {
      place: 0,
      run_id: index.toString(16).padStart(32, '0'),
      run_name: `run ${index}`,
      experiment_id: '1',
      experiment_name: 'churn',
      user_id: 'ada',
      status: random() < 0.05 ? 'FAILED' : 'FINISHED',
      lifecycle_stage: 'active',
      start_time,
      end_time: start_time + Math.floor(60_000 * depth * (0.5 + random())),
      duration: Math.floor(60_000 * depth * (0.5 + random())),
      source: 'train.py',
      params: {
        batch_size: '64',
        depth: String(depth),
        learning_rate: rate.toPrecision(3),
        optimizer: kind,
        ...Object.fromEntries(more),
      },
      tags: { team: index % 3 === 0 ? 'a' : 'b' },
      metrics: {
        accuracy: { last: 1 / (1 + loss), step: 99 },
        constant: { last: 1, step: 0 },
        loss: { last: loss, step: 99, min: loss * 0.9, max: loss * 3 },
      },
    };
  });
  const curves = Array.from({ length: Math.min(count, histories) }, (_, run) =>
    Array.from({ length: keys }, (_, key): ComparedHistory => {
      const end = Number(runs[run]?.metrics.loss?.last ?? 0);
      const steps = Array.from({ length: points }, (_, step) => step);
      return {
        run,
        key: key === 0 ? 'loss' : `loss_${key}`,
        count: points,
        steps,
        times: steps.map((step) => 1_760_000_000_000 + step * 1000),
        values: steps.map((step) => end + 2 * Math.exp(-step / 20) + random() / 10),
      };
    }),
  );
  return {
    places: ['http://localhost:5000'],
    runs,
    values: ['last'],
    best: { metric: 'loss', direction: 'ASC' },
    histories: curves.flat(),
  };
}
