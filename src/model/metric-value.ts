import { z } from 'zod';

/** A logged metric value as it stands in records and in MLflow's REST JSON: JSON itself has no NaN or ±Infinity. */
export type MetricValue = number | 'NaN' | 'Infinity' | '-Infinity';

/** zod schema of {@link MetricValue}. */
export const metricValue = z.union([z.number(), z.literal(['NaN', 'Infinity', '-Infinity'])]);

/** The double that a {@link MetricValue} stands for. */
export function toDouble(value: MetricValue): number {
  return typeof value === 'number' ? value : Number(value);
}

/** The {@link MetricValue} of a double; -0 stays -0. */
export function fromDouble(value: number): MetricValue {
  if (Number.isFinite(value)) return value;
  if (Number.isNaN(value)) return 'NaN';
  return value > 0 ? 'Infinity' : '-Infinity';
}
