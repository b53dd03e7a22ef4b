// The best runs of any place, with the whole history of a metric.
//   node samples/library/best-runs.ts samples/backup.tar

import { iterateRuns, listPoints } from 'mlferry';

const [place = 'samples/mlruns'] = process.argv.slice(2);
const selection = {
  filter: 'metrics."val/accuracy" > 0',
  order_by: ['metrics."val/accuracy" DESC'],
  max_runs: 3,
};

for await (const { experiment, source } of iterateRuns(place, { selection })) {
  const { run_name, params, latest_metrics } = source.run;
  let best = Number.NEGATIVE_INFINITY;
  for await (const { key, points } of source.metrics(['val/accuracy'])) {
    if (key !== 'val/accuracy') continue;
    for (const [, , value] of listPoints(points)) best = Math.max(best, Number(value));
  }
  const [, , last] = latest_metrics['val/accuracy'] ?? [0, 0, 'none'];
  console.log(
    `${experiment.name} ${run_name} (learning rate ${params.learning_rate}): last ${last}, best ${best}`,
  );
}
