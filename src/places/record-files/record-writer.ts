import { createHash } from 'node:crypto';
import { FURTHER_KINDS, kindOf } from '../../kinds/kinds.ts';
import { idOf, parentIdOf } from '../../kinds/marks.ts';
import { recordProblem } from '../../kinds/wire-record.ts';
import type { ToldFiles } from '../../model/file-list.ts';
import { MlferryError } from '../../util/errors.ts';
import { redactUri } from '../../util/redact.ts';
import type { ObjectWriter } from '../objects.ts';
import type { PlaceInfo, Writer } from '../place.ts';
import type { WriterOptions } from '../place-options.ts';
import { type KeptRecord, lineDigest } from './kept-records.ts';
import { createKeptRow, type Head } from './kept-row.ts';
import { headerOf, jobKey, lineOf } from './record-header.ts';
import { createTally, type Tally } from './record-tally.ts';
import { linesOf, type SpooledObject, type SpoolSource, type StoreBody, spoolObject } from './run-spool.ts';
import { inFile, objectSource, runSource } from './spool-sources.ts';
import { RECORD_TRAITS } from './traits.ts';
import { createTurns } from './turns.ts';

/** What one run or other object needs beside its lines: where its artifact bytes go until its turn, and then. */
export interface BodyStore {
  /** Takes the bytes of an artifact over. */
  readonly store: StoreBody;
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
  /** Says that an object is whole, so that a later attempt can go on from here. */
  commit?(lines: Tally, noted: boolean): Promise<void>;
  /** For one owner of files; absent when artifact bytes are not carried. */
  bodies?(): BodyStore;
  end(line: Uint8Array): Promise<void>;
  abort(): Promise<void>;
}

/**
 * The writer of record lines, for streams and archives. Runs and objects are collected concurrently and written in the
 * order in which they came, each whole or not at all; an experiment stands before its first run. What an earlier attempt
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
  /** The files that a source lists, to be compared with those that an earlier attempt left. */
  const filesOf = async (toldFiles: (() => Promise<ToldFiles>) | undefined): Promise<Pick<Head, 'files'>> => {
    if (toldFiles === undefined || sink === undefined || sink.kept.length === 0) return {};
    const told = await toldFiles();
    return told === 'unlisted' ? {} : { files: { sizes: told?.sizes } };
  };
  const turns = createTurns();
  let tally = createTally();
  let begun = false;
  /** Experiments whose line waits for their first run, or the end. */
  const waiting = new Map<string, Uint8Array>();
  const experimentIds = new Set<string>();
  const runIds = new Set<string>();
  /** Ids of the further kinds, by kind. */
  const objectIds = new Map(FURTHER_KINDS.map(({ kind }) => [kind, new Set<string>()]));
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
  const noted = (id: string) => options.findings.noted?.(id) ?? 0;

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

  /** Writes an object with what stands under it in its turn, or passes it when an earlier attempt left just this. */
  const write = async (kind: string, id: string, collect: () => SpoolSource) => {
    onlyKept = false;
    const turn = turns.take();
    const bodies = sink?.bodies?.();
    const notedBefore = noted(id);
    let spooled: SpooledObject | undefined;
    try {
      const source = collect();
      const spool = () =>
        spoolObject(source, bodies?.store ?? (carriesBodies ? 'planned' : 'referenced'), options);
      const head = {
        ...{ kind, id, digest: lineDigest(lineOf(source.record)) },
        ...(await filesOf(source.fileList)),
      };
      if (!row.mayHold(head)) spooled = await spool();
      await turn.begins;
      const kept =
        row.takes([head])?.[0] ??
        (await row.takesRead(head, async () => {
          spooled ??= await spool();
          return digestOf(spooled);
        }));
      if (kept !== undefined) {
        addReferenced(kept.referenced);
        return UNCHANGED;
      }
      spooled ??= await spool();
      const ready = spooled;
      const counted = kindOf(kind).counted;
      await commit((to) => writeWhole(to, ready, counted, bodies, tally, noted(id) !== notedBefore));
      addReferenced(ready.referenced);
      const { points, artifacts, bytes, incomplete } = ready;
      return {
        outcome: 'created' as const,
        ...{ points, artifacts, bytes },
        ...(incomplete ? { incomplete } : {}),
      };
    } finally {
      turn.release();
      await spooled?.lines.remove();
      await bodies?.remove();
    }
  };

  const writeObject: ObjectWriter = async (source, target) => {
    const { of } = source;
    const id = idOf(of, source.record);
    // An object stands below all experiments.
    queue(waitingUpTo());
    const { outcome, artifacts, bytes } = await write(of.kind, id, () => {
      const record = target.remap({ id });
      const parent = parentIdOf(of, record);
      const parents = of.within === 'experiment' ? experimentIds : objectIds.get(of.within ?? '');
      const ids = objectIds.get(of.kind);
      if (ids === undefined || ids.has(id) || (parent !== undefined && parents?.has(parent) !== true))
        throw new MlferryError('BUG', `The ${of.kind} ${id} came twice or before what it lives in`);
      ids.add(id);
      return objectSource(source, record);
    });
    return { id, outcome, artifacts, bytes };
  };

  try {
    if (sink?.kept.length === 0) await commit(async () => undefined);
  } catch (error) {
    await sink?.abort();
    throw error;
  }

  return {
    info,
    traits: RECORD_TRAITS,
    experiment: async (source, name) => {
      const record = { ...source, name, artifact_location: redactUri(source.artifact_location) };
      const target = { experiment_id: source.experiment_id, name, created: true };
      if (experimentIds.has(source.experiment_id)) return target;
      const problem = recordProblem(record);
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
    isCurrent: async (source, _experiment, _digest, toldFiles) => {
      if (!onlyKept) return undefined;
      const experiments = waitingUpTo(source.experiment_id);
      const own = {
        ...{ kind: 'run', id: source.run_id, digest: lineDigest(lineOf(inFile(source))) },
        ...(await filesOf(toldFiles)),
      };
      const taken = row.takes([...experiments.map(wantedExperiment), own]);
      if (taken === undefined) {
        onlyKept = false;
        return undefined;
      }
      for (const [id] of experiments) waiting.delete(id);
      for (const record of taken) addReferenced(record.referenced);
      runIds.add(source.run_id);
      return { run_id: source.run_id, ...UNCHANGED };
    },
    run: async (source, target) => {
      const { run_id, artifact_uri } = source.run;
      queue(waitingUpTo(source.run.experiment_id));
      const written = await write('run', run_id, () => {
        const run = target.remap({ run_id, artifact_uri });
        if (!experimentIds.has(run.experiment_id) || runIds.has(run_id)) {
          throw new MlferryError('BUG', `The run ${run_id} came twice or before its experiment`);
        }
        runIds.add(run_id);
        return runSource(source, run);
      });
      return { run_id, ...written };
    },
    objects: new Map(FURTHER_KINDS.map(({ kind }) => [kind, writeObject])),
    secondPass: async () => undefined,
    finish: async (leftBehind = []) => {
      queue(waitingUpTo());
      await turns.all();
      await commit(async (to) => {
        for (const record of leftBehind) {
          const line = lineOf(record);
          tally.lines(line);
          await to.lines(line);
        }
        await to.end(lineOf(tally.end()));
      });
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

async function writeWhole(
  to: RecordSink,
  spooled: SpooledObject,
  counted: string,
  bodies: BodyStore | undefined,
  tally: Tally,
  noted: boolean,
): Promise<void> {
  await bodies?.commit();
  for await (const piece of linesOf(spooled)) {
    tally.lines(piece);
    await to.lines(piece);
  }
  tally.count(counted, 1);
  tally.count('points', spooled.points);
  tally.count('artifacts', spooled.artifacts);
  await to.commit?.(tally, noted);
}

async function digestOf(spooled: SpooledObject): Promise<string> {
  const hash = createHash('sha256');
  for await (const piece of linesOf(spooled)) hash.update(piece);
  return hash.digest('base64');
}

const UNCHANGED = { outcome: 'unchanged', points: 0, artifacts: 0, bytes: 0 } as const;
