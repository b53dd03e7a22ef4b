import { createHash } from 'node:crypto';
import { wireRecord } from '../../model/records.ts';
import { MlferryError } from '../../util/errors.ts';
import { redactUri } from '../../util/redact.ts';
import type { PlaceInfo, Writer, WriterOptions, WrittenRun } from '../place.ts';
import { type KeptRecord, lineDigest } from './kept-records.ts';
import { createKeptRow } from './kept-row.ts';
import { headerOf, jobKey, lineOf } from './record-header.ts';
import { createTally, type Tally } from './record-tally.ts';
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
  /** What an earlier attempt at the same job left, in its order. */
  readonly kept: readonly KeptRecord[];
  /** Called once, before any write: keeps the first `count` records of `kept`, forgets the others, and tells the tally. */
  begin(count: number): Promise<Tally>;
  header(line: Uint8Array): Promise<void>;
  /** Whole lines, in pieces of any size. */
  lines(bytes: Uint8Array): Promise<void>;
  /** Says that an experiment or run is whole, so that a later attempt can go on from here. */
  commit?(lines: Tally, noted: boolean): Promise<void>;
  /** For one run; absent when artifact bytes are not carried. */
  bodies?(): BodyStore;
  end(line: Uint8Array): Promise<void>;
  abort(): Promise<void>;
}

/**
 * The writer of record lines, for streams and archives. Runs are collected concurrently and written in the order in
 * which `run` was called, each whole or not at all; an experiment stands before its first run. What an earlier attempt
 * left is kept as far as it is, record for record, what is to be written, so the result has the bytes of an unbroken
 * run. `open` is not called in a dry run; its `key` names the job; `carriesBodies` tells whether its sink will have `bodies`.
 */
export async function recordWriter(
  info: PlaceInfo,
  open: (key: string) => Promise<RecordSink>,
  carriesBodies: boolean,
  options: WriterOptions,
): Promise<Writer> {
  const header = lineOf(headerOf(options));
  const sink = options.dryRun ? undefined : await open(jobKey(header, carriesBodies, options));
  const row = createKeptRow(sink?.kept ?? []);
  const turns = createTurns();
  let tally = createTally();
  let begun = false;
  /** Experiments whose line waits for their first run, or the end. */
  const waiting = new Map<string, Uint8Array>();
  const experimentIds = new Set<string>();
  const runIds = new Set<string>();
  const referenced = { artifacts: 0, bytes: 0 };
  // Until a run comes that was not left by an earlier attempt, nothing can come between those that were.
  let onlyKept = true;
  // The first failure of the sink: what is written by then may be half a run, so nothing may follow.
  let broken: { error: unknown } | undefined;
  let closed = false;

  const begin = async (to: RecordSink) => {
    begun = true;
    const count = row.stop();
    tally = await to.begin(count);
    if (count > 0) return;
    tally.lines(header);
    await to.header(header);
  };
  const commit = async (write: (to: RecordSink) => Promise<void>) => {
    if (broken !== undefined) throw broken.error;
    if (closed) throw new MlferryError('INTERRUPTED', `${info.location} is no longer being written`);
    if (sink === undefined) return;
    try {
      if (!begun) await begin(sink);
      await write(sink);
    } catch (error) {
      broken = { error };
      throw error;
    }
  };

  const addReferenced = (more: { artifacts: number; bytes: number }) => {
    referenced.artifacts += more.artifacts;
    referenced.bytes += more.bytes;
  };
  const noted = (run_id: string) => options.findings.noted?.(run_id) ?? 0;

  /** The experiments that were opened up to this one and have no line yet; all of them when it has one or is not told. */
  const waitingUpTo = (experiment_id?: string): Array<[id: string, line: Uint8Array]> => {
    const all = [...waiting];
    const last = all.findIndex(([id]) => id === experiment_id);
    if (experiment_id !== undefined && last === -1) return [];
    return last === -1 ? all : all.slice(0, last + 1);
  };
  const wantedExperiment = ([id, line]: [id: string, line: Uint8Array]) => ({
    kind: 'experiment' as const,
    id,
    digest: lineDigest(line),
  });
  /** Gives experiments their place in the row of turns. `broken` keeps the error. */
  const queue = (experiments: Array<[id: string, line: Uint8Array]>) => {
    for (const [id, line] of experiments) {
      waiting.delete(id);
      const turn = turns.take();
      turn.begins
        .then(async () => {
          if (row.takes([wantedExperiment([id, line])]) === undefined)
            await commit((to) => writeExperiment(to, line, tally));
        })
        .catch(() => undefined)
        .finally(turn.release);
    }
  };

  try {
    if (sink?.kept.length === 0) await commit(async () => undefined);
  } catch (error) {
    await sink?.abort();
    throw error;
  }

  return {
    info,
    ids: 'source',
    experiment: async (source, name) => {
      const record = { ...source, name, artifact_location: redactUri(source.artifact_location) };
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
      waiting.set(source.experiment_id, lineOf(record));
      return target;
    },
    isCurrent: async (source) => {
      if (!onlyKept) return undefined;
      const experiments = waitingUpTo(source.experiment_id);
      const own = { kind: 'run' as const, id: source.run_id, digest: lineDigest(lineOf(source)) };
      const taken = row.takes([...experiments.map(wantedExperiment), own]);
      if (taken === undefined) {
        onlyKept = false;
        return undefined;
      }
      for (const [id] of experiments) waiting.delete(id);
      for (const record of taken) addReferenced(record.referenced);
      runIds.add(source.run_id);
      return unchangedRun(source.run_id);
    },
    run: async (source, target) => {
      onlyKept = false;
      const { run_id, artifact_uri } = source.run;
      queue(waitingUpTo(source.run.experiment_id));
      const turn = turns.take();
      const bodies = sink?.bodies?.();
      const notedBefore = noted(run_id);
      let spooled: SpooledRun | undefined;
      try {
        const run = target.remap({ run_id, artifact_uri });
        if (!experimentIds.has(run.experiment_id) || runIds.has(run_id)) {
          throw new MlferryError('BUG', `The run ${run_id} came twice or before its experiment`);
        }
        runIds.add(run_id);
        const spool = () =>
          spoolRun(source, run, bodies?.store ?? (carriesBodies ? 'planned' : 'referenced'), options);
        const digest = lineDigest(lineOf(run));
        if (!row.mayHold(run_id, digest)) spooled = await spool();
        await turn.begins;
        const kept =
          row.takes([{ kind: 'run', id: run_id, digest }])?.[0] ??
          (await row.takesRead(run_id, digest, async () => {
            spooled ??= await spool();
            return digestOf(spooled);
          }));
        if (kept !== undefined) {
          addReferenced(kept.referenced);
          return unchangedRun(run_id);
        }
        spooled ??= await spool();
        const ready = spooled;
        await commit((to) => writeRun(to, ready, bodies, tally, noted(run_id) !== notedBefore));
        addReferenced(ready.referenced);
        return writtenRun(run_id, ready);
      } finally {
        turn.release();
        await spooled?.lines.remove();
        await bodies?.remove();
      }
    },
    secondPass: async () => undefined,
    finish: async () => {
      queue(waitingUpTo());
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

async function writeExperiment(to: RecordSink, line: Uint8Array, tally: Tally): Promise<void> {
  tally.lines(line);
  tally.count('experiments', 1);
  await to.lines(line);
  await to.commit?.(tally, false);
}

async function writeRun(
  to: RecordSink,
  spooled: SpooledRun,
  bodies: BodyStore | undefined,
  tally: Tally,
  noted: boolean,
): Promise<void> {
  await bodies?.commit();
  for await (const piece of spooled.lines.read(0, spooled.lines.length())) {
    tally.lines(piece);
    await to.lines(piece);
  }
  tally.count('runs', 1);
  tally.count('points', spooled.points);
  tally.count('artifacts', spooled.artifacts);
  await to.commit?.(tally, noted);
}

async function digestOf({ lines }: SpooledRun): Promise<string> {
  const hash = createHash('sha256');
  for await (const piece of lines.read(0, lines.length())) hash.update(piece);
  return hash.digest('base64');
}

const unchangedRun = (run_id: string): WrittenRun => ({
  run_id,
  outcome: 'unchanged',
  points: 0,
  artifacts: 0,
  bytes: 0,
});

const writtenRun = (run_id: string, { points, artifacts, bytes }: SpooledRun): WrittenRun => ({
  run_id,
  outcome: 'created',
  points,
  artifacts,
  bytes,
});
