import { createReadStream } from 'node:fs';
import { z } from 'zod';
import { asMlferryError, systemCode } from '../util/errors.ts';

/** Version of the lines. */
export const JOURNAL_FORMAT = 2;
/** Longest line that is read, in bytes; our own are far shorter. */
const LONGEST_LINE = 1_000_000;
const LINE_END = 0x0a;

const id = z.string().min(1);
const time = z.int().nonnegative();

const startLine = z.strictObject({
  kind: z.literal('start'),
  format: z.int().positive().max(JOURNAL_FORMAT),
  tool_version: z.string(),
  job_id: id,
  /** Redacted locations. */
  from: z.string(),
  to: z.string(),
  /** Fingerprint of the source. */
  fingerprint: z.string(),
  /** What else makes this job: selection, renaming, parts. */
  options: z.record(z.string(), z.unknown()),
  pid: z.int().nonnegative(),
  host: z.string(),
  /** ms since the epoch. */
  started: time,
});

/** One line of a journal. */
export const journalLine = z.discriminatedUnion('kind', [
  startLine,
  z.strictObject({ kind: z.literal('experiment'), experiment_id: id, target_experiment_id: id }),
  /** From here on the target may have a copy of the object. */
  z.strictObject({ kind: z.literal('intent'), object: id, id }),
  z.strictObject({ kind: z.literal('done'), object: id, id, target_id: id, digest: z.string().optional() }),
  z.strictObject({ kind: z.literal('step'), step: z.enum(['second_pass', 'finish']) }),
  /** `finished`: nothing failed, whatever the exit status says of what stays behind. */
  z.strictObject({
    kind: z.literal('end'),
    exit_status: z.int(),
    finished: z.boolean().optional(),
    ended: time,
  }),
]);
export type JournalLine = z.infer<typeof journalLine>;

/** The lines that were others in format 1, which knew runs only. */
const firstFormat = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('intent'), run_id: id }),
  z.strictObject({ kind: z.literal('done'), run_id: id, target_run_id: id, digest: z.string() }),
  z.strictObject({ kind: z.literal('step'), step: z.literal('settle') }),
]);
export type JournalStart = z.infer<typeof startLine>;

/** What a journal says of its job. */
export interface JournalState {
  /** The latest process; `undefined` when there is no journal, or it has no beginning. */
  readonly start: JournalStart | undefined;
  /** ms since the epoch: when the first process of the job began. */
  readonly first_started: number | undefined;
  /** How the latest process ended; `undefined`: it did not, or is still at work. */
  readonly end: { exit_status: number; finished: boolean; ended: number } | undefined;
  readonly step: 'runs' | 'second_pass' | 'finish';
  /** Runs and further objects that were written. */
  readonly done: number;
  /** Objects with an intent that was never done: their kinds and source ids, see {@link journalKey}. */
  readonly inDoubt: ReadonlySet<string>;
  /** Lines that are none of ours, left out. */
  readonly unreadable: number;
  /** Bytes up to the end of the last whole line. */
  readonly length: number;
}

/** Reads a journal. A torn last line is left out; a file that is not there is an empty one. */
export async function readJournal(path: string): Promise<JournalState> {
  const state = {
    start: undefined as JournalStart | undefined,
    first_started: undefined as number | undefined,
    end: undefined as JournalState['end'],
    step: 'runs' as JournalState['step'],
    done: 0,
    inDoubt: new Set<string>(),
    unreadable: 0,
    length: 0,
  };
  for await (const { text, end } of wholeLines(path)) {
    state.length = end;
    const line = parseLine(text);
    switch (line?.kind) {
      case undefined:
        state.unreadable += 1;
        break;
      case 'start':
        state.start = line;
        state.first_started ??= line.started;
        state.end = undefined;
        state.step = 'runs';
        break;
      case 'intent':
        state.inDoubt.add(journalKey({ kind: line.object, id: line.id }));
        break;
      case 'done':
        state.inDoubt.delete(journalKey({ kind: line.object, id: line.id }));
        state.done += 1;
        break;
      case 'step':
        state.step = line.step;
        break;
      case 'end':
        state.end = {
          exit_status: line.exit_status,
          finished: line.finished ?? line.exit_status === 0,
          ended: line.ended,
        };
        break;
    }
  }
  return state;
}

function parseLine(text: string): JournalLine | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return journalLine.safeParse(value).data ?? ofFirstFormat(value);
  } catch {
    return undefined;
  }
}

function ofFirstFormat(value: unknown): JournalLine | undefined {
  const line = firstFormat.safeParse(value).data;
  if (line?.kind === 'intent') return { kind: 'intent', object: 'run', id: line.run_id };
  if (line?.kind === 'step') return { kind: 'step', step: 'second_pass' };
  if (line === undefined) return undefined;
  const { run_id, target_run_id, digest } = line;
  return { kind: 'done', object: 'run', id: run_id, target_id: target_run_id, digest };
}

/** What an object is known by in a journal. */
export function journalKey({ kind, id: own }: { kind: string; id: string }): string {
  return `${kind} ${own}`;
}

async function* wholeLines(path: string): AsyncGenerator<{ text: string; end: number }> {
  let rest = Buffer.alloc(0);
  let end = 0;
  try {
    for await (const chunk of createReadStream(path)) {
      const bytes = Buffer.concat([rest, bytesOf(chunk)]);
      let start = 0;
      for (let stop = bytes.indexOf(LINE_END); stop >= 0; stop = bytes.indexOf(LINE_END, start)) {
        const text = bytes.toString('utf8', start, stop);
        end += stop + 1 - start;
        start = stop + 1;
        yield { text, end };
      }
      rest = bytes.subarray(start);
      if (rest.length > LONGEST_LINE) return;
    }
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return;
    throw asMlferryError(error, 'DENIED', `The journal ${path} cannot be read`);
  }
}

function bytesOf(chunk: unknown): Buffer {
  if (!Buffer.isBuffer(chunk)) throw new TypeError('a file stream gave no bytes');
  return chunk;
}
