import { open, rename } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { type AppendLog, openAppendLog } from '../util/append-log.ts';
import { asMlferryError } from '../util/errors.ts';
import { TOOL_VERSION } from '../util/tool-version.ts';
import type { JobIdentity } from './job-identity.ts';
import {
  JOURNAL_FORMAT,
  type JournalLine,
  type JournalState,
  journalKey,
  readJournal,
} from './journal-lines.ts';

/** The journal's file in a job's directory. */
export const JOURNAL_FILE = 'journal.ndjson';

/** An object of a job: its kind, and its id at the source. */
export interface JournalObject {
  readonly kind: string;
  readonly id: string;
}

/** What this process found of its job when it began. */
export interface JobProgress {
  readonly job_id: string;
  /** Whether an earlier process had begun it and not come to its end. */
  readonly resumed: boolean;
  /** Runs and further objects that earlier processes wrote; `started`: when the first one began (ms since the epoch). */
  readonly done: number;
  /** Those that earlier processes were about to write and may have written. */
  readonly in_doubt: number;
  readonly started: number;
}

/**
 * What a job tells its later processes: which objects it was about to write, and which it wrote. It never decides that
 * one is complete: the target does. So a lost journal costs nothing but the look before a create.
 */
export interface Journal {
  readonly resumed: boolean;
  /** Objects that earlier processes of the job wrote or may have written, and when the first one began (ms since the epoch). */
  readonly earlier: { readonly done: number; readonly in_doubt: number; readonly started: number };
  /** Whether an earlier process may have created a copy of this object without learning of it. */
  isInDoubt(object: JournalObject): boolean;
  experiment(experiment_id: string, target_experiment_id: string): Promise<void>;
  /** On the disk when it returns: only then may the object be written. */
  intent(object: JournalObject): Promise<void>;
  done(object: JournalObject, target_id: string, digest?: string): Promise<void>;
  step(step: 'second_pass' | 'finish'): Promise<void>;
  /** The last line of this process. `finished`: nothing is left to go on with; default: the exit status is 0. */
  end(exit_status: number, finished?: boolean): Promise<void>;
  close(): Promise<void>;
}

/**
 * Opens the journal of a job whose lock is held. It goes on from a process that did not finish if the
 * source and mlferry's version are the same; else it begins anew.
 */
export async function openJournal(
  directory: string,
  job_id: string,
  identity: JobIdentity,
  fingerprint: string,
): Promise<Journal> {
  const path = join(directory, JOURNAL_FILE);
  const state = await readJournal(path);
  const { start } = state;
  const unfinished = start?.fingerprint === fingerprint && state.end?.finished !== true;
  const resumed = unfinished && start.tool_version === TOOL_VERSION;
  const now = Date.now();
  const { from, to, ...options } = identity;
  const ownStart: JournalLine = {
    kind: 'start',
    format: JOURNAL_FORMAT,
    tool_version: TOOL_VERSION,
    ...{ job_id, from, to, fingerprint, options },
    ...{ pid: process.pid, host: hostname(), started: now },
  };
  const inDoubt = unfinished ? state.inDoubt : new Set<string>();
  const log = resumed
    ? await goOn(path, state, ownStart)
    : await beginAnew(path, [ownStart, ...[...inDoubt].map(intentOf)]);
  const note = (line: JournalLine, durable = false) => log.append(JSON.stringify(line), durable);
  return {
    resumed,
    earlier: {
      done: resumed ? state.done : 0,
      in_doubt: inDoubt.size,
      started: (resumed ? state.first_started : undefined) ?? now,
    },
    isInDoubt: (object) => inDoubt.has(journalKey(object)),
    experiment: (experiment_id, target_experiment_id) =>
      note({ kind: 'experiment', experiment_id, target_experiment_id }),
    intent: (object) => note(intentOf(journalKey(object)), true),
    done: ({ kind: object, id }, target_id, digest) =>
      note({ kind: 'done', object, id, target_id, ...(digest === undefined ? {} : { digest }) }),
    step: (step) => note({ kind: 'step', step }),
    end: (exit_status, finished = exit_status === 0) =>
      note({ kind: 'end', exit_status, finished, ended: Date.now() }, true),
    close: () => log.close(),
  };
}

/** The line of an intent, from its {@link journalKey}. */
function intentOf(key: string): JournalLine {
  const [object = '', ...id] = key.split(' ');
  return { kind: 'intent', object, id: id.join(' ') };
}

async function goOn(path: string, { length }: JournalState, start: JournalLine): Promise<AppendLog> {
  const log = await openAppendLog(path, length);
  await log.append(JSON.stringify(start), true);
  return log;
}

/** The old journal stays until the new one is on the disk. */
async function beginAnew(path: string, lines: readonly JournalLine[]): Promise<AppendLog> {
  const bytes = Buffer.from(lines.map((line) => `${JSON.stringify(line)}\n`).join(''));
  const fresh = `${path}.new`;
  try {
    const handle = await open(fresh, 'w', 0o600);
    try {
      await handle.writeFile(bytes);
      await handle.sync();
    } finally {
      await handle.close();
    }
    await rename(fresh, path);
  } catch (error) {
    throw asMlferryError(error, 'DENIED', `The journal ${path} cannot be written`);
  }
  return openAppendLog(path, bytes.length);
}
