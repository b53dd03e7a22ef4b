import { createHash } from 'node:crypto';
import { FORMAT_VERSION } from '../../kinds/kinds.ts';
import { ALL_PARTS, partsKey } from '../../kinds/parts.ts';
import { canonicalLine, type Header, type WireRecord } from '../../kinds/wire-record.ts';
import { metricsLine } from '../../model/metrics-line.ts';
import { OBJECT_FILTERS } from '../../model/selection.ts';
import type { WriterOptions } from '../place-options.ts';

/** A record as it stands in the file, with its line end. */
export const lineOf = (record: WireRecord): Buffer =>
  record.kind === 'metrics' ? metricsLine(record) : Buffer.from(`${canonicalLine(record)}\n`);

/** What two commands must have in common for one to go on with the other's file. */
export function jobKey(header: Uint8Array, carriesBodies: boolean, { parts }: WriterOptions): string {
  return createHash('sha256')
    .update(header)
    .update(JSON.stringify({ carriesBodies, ...partsKey(parts ?? ALL_PARTS) }))
    .digest('hex');
}

/** The first record of an archive or stream. */
export function headerOf({ source, selection, toolVersion }: WriterOptions): Header {
  const { kind, location, fingerprint, server_version } = source;
  const { experiments, runs, exclude_experiments, view, filter, experiment_filter, order_by, max_runs } =
    selection;
  const { registered_models, with_model_version } = selection;
  return {
    kind: 'header',
    format: 'mlferry',
    version: FORMAT_VERSION,
    tool_version: toolVersion,
    source: { kind, location, fingerprint, ...(server_version === undefined ? {} : { server_version }) },
    selection: {
      experiments: [...experiments],
      runs: [...runs],
      ...(exclude_experiments === undefined ? {} : { exclude_experiments: [...exclude_experiments] }),
      view,
      ...(filter === undefined ? {} : { filter }),
      ...(experiment_filter === undefined ? {} : { experiment_filter }),
      ...(registered_models === undefined ? {} : { registered_models: [...registered_models] }),
      ...(with_model_version === undefined ? {} : { with_model_version }),
      ...Object.fromEntries(
        OBJECT_FILTERS.flatMap((field) =>
          selection[field] === undefined ? [] : [[field, selection[field]]],
        ),
      ),
      ...(order_by === undefined ? {} : { order_by: [...order_by] }),
      ...(max_runs === undefined ? {} : { max_runs }),
    },
  };
}
