import { canonicalLine } from '../../model/canonical.ts';
import { type End, type Experiment, FORMAT_VERSION, type Header, wireRecord } from '../../model/records.ts';
import { MlferryError } from '../../util/errors.ts';
import type { PlaceInfo, Writer, WriterOptions, WrittenRun } from '../place.ts';
import { createTally } from './record-tally.ts';
import { type SpooledRun, type StoredBody, spoolRun } from './run-spool.ts';
import { createTurns } from './turns.ts';

/** What one run needs beside its lines: where its artifact bytes go until its turn, and then. */
export interface BodyStore {
  /** Takes the bytes of an artifact over. */
  store(body: AsyncIterable<Uint8Array>): Promise<StoredBody>;
  /** Makes them part of the result, before the lines that name them. */
  commit(): Promise<void>;
  /** Called once, whatever happened. */
  remove(): Promise<void>;
}

/** The form that record lines and artifact bytes take. */
export interface RecordSink {
  header(line: Uint8Array): Promise<void>;
  /** Whole lines, in pieces of any size. */
  lines(bytes: Uint8Array): Promise<void>;
  /** For one run; absent when artifact bytes are not carried. */
  bodies?(): BodyStore;
  end(line: Uint8Array): Promise<void>;
  abort(): Promise<void>;
}

/**
 * The writer of record lines, for streams and archives. Runs are collected concurrently and written in the order in
 * which `run` was called, each whole or not at all; experiments keep their place in the same row. `open`
 * is not called in a dry run; `carriesBodies` tells whether its sink will have `bodies`.
 */
export async function recordWriter(
  info: PlaceInfo,
  open: () => Promise<RecordSink>,
  carriesBodies: boolean,
  options: WriterOptions,
): Promise<Writer> {
  const sink = options.dryRun ? undefined : await open();
  const turns = createTurns();
  const tally = createTally();
  const experimentIds = new Set<string>();
  const runIds = new Set<string>();
  const referenced = { artifacts: 0, bytes: 0 };
  // The first failure of the sink: what is written by then may be half a run, so nothing may follow.
  let broken: { error: unknown } | undefined;
  let closed = false;

  const commit = async (write: (to: RecordSink) => Promise<void>) => {
    if (broken !== undefined) throw broken.error;
    if (closed) throw new MlferryError('INTERRUPTED', `${info.location} is no longer being written`);
    if (sink === undefined) return;
    try {
      await write(sink);
    } catch (error) {
      broken = { error };
      throw error;
    }
  };
  const lineOf = (record: Header | Experiment | End) => Buffer.from(`${canonicalLine(record)}\n`);

  try {
    await commit(async (to) => {
      const line = lineOf(headerOf(options));
      tally.lines(line);
      await to.header(line);
    });
  } catch (error) {
    await sink?.abort();
    throw error;
  }

  return {
    info,
    ids: 'source',
    experiment: async (source, name) => {
      const record = { ...source, name };
      const target = { experiment_id: source.experiment_id, name, created: true };
      if (experimentIds.has(source.experiment_id)) return target;
      const problem = wireRecord.safeParse(record).error?.issues[0];
      if (problem !== undefined) {
        throw new MlferryError(
          'SOURCE_ITEM',
          `The experiment ${JSON.stringify(name)} cannot be written: ${problem.message}`,
        );
      }
      experimentIds.add(source.experiment_id);
      const turn = turns.take();
      // Not awaited, or the runs of this experiment would wait for those of the one before; `broken` keeps the error.
      turn.begins
        .then(() =>
          commit(async (to) => {
            const line = lineOf(record);
            tally.lines(line);
            tally.record(record);
            await to.lines(line);
          }),
        )
        .catch(() => undefined)
        .finally(turn.release);
      return target;
    },
    isCurrent: async () => undefined,
    run: async (source, target) => {
      const turn = turns.take();
      const bodies = sink?.bodies?.();
      let spooled: SpooledRun | undefined;
      try {
        const run = target.remap({ run_id: source.run.run_id, artifact_uri: source.run.artifact_uri });
        if (!experimentIds.has(run.experiment_id) || runIds.has(run.run_id)) {
          throw new MlferryError('BUG', `The run ${run.run_id} came twice or before its experiment`);
        }
        runIds.add(run.run_id);
        spooled = await spoolRun(
          source,
          run,
          bodies?.store ?? (carriesBodies ? 'planned' : 'referenced'),
          options,
        );
        await turn.begins;
        await commit((to) => writeRun(to, spooled, bodies, tally));
        referenced.artifacts += spooled.referenced.artifacts;
        referenced.bytes += spooled.referenced.bytes;
        return writtenRun(run.run_id, spooled);
      } finally {
        turn.release();
        await spooled?.lines.remove();
        await bodies?.remove();
      }
    },
    settle: async () => undefined,
    finish: async () => {
      await turns.all();
      await commit((to) => to.end(lineOf(tally.end())));
      closed = true;
      if (referenced.artifacts === 0) return;
      options.findings.loss({
        code: 'ARTIFACTS_NOT_CARRIED',
        count: referenced.artifacts,
        detail: `${referenced.artifacts} artifacts (${referenced.bytes} bytes) are named in ${info.location}, their bytes are not in it.`,
      });
    },
    abort: async () => {
      closed = true;
      await sink?.abort();
    },
  };
}

async function writeRun(
  to: RecordSink,
  spooled: SpooledRun | undefined,
  bodies: BodyStore | undefined,
  tally: ReturnType<typeof createTally>,
): Promise<void> {
  if (spooled === undefined) return;
  await bodies?.commit();
  for await (const piece of spooled.lines.read(0, spooled.lines.length())) {
    tally.lines(piece);
    await to.lines(piece);
  }
  tally.count('runs', 1);
  tally.count('points', spooled.points);
  tally.count('artifacts', spooled.artifacts);
}

const writtenRun = (run_id: string, { points, artifacts, bytes }: SpooledRun): WrittenRun => ({
  run_id,
  outcome: 'created',
  points,
  artifacts,
  bytes,
});

function headerOf({ source, selection, toolVersion }: WriterOptions): Header {
  const { kind, location, fingerprint, server_version } = source;
  const { experiments, runs, view, filter, experiment_filter, order_by, max_runs } = selection;
  return {
    kind: 'header',
    format: 'mlferry',
    version: FORMAT_VERSION,
    tool_version: toolVersion,
    source: { kind, location, fingerprint, ...(server_version === undefined ? {} : { server_version }) },
    selection: {
      experiments: [...experiments],
      runs: [...runs],
      view,
      ...(filter === undefined ? {} : { filter }),
      ...(experiment_filter === undefined ? {} : { experiment_filter }),
      ...(order_by === undefined ? {} : { order_by: [...order_by] }),
      ...(max_runs === undefined ? {} : { max_runs }),
    },
  };
}
