import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import { CLI, type Ended } from '../acceptance/run-mlferry.ts';
import { cleanEnvironment } from '../servers/clean-environment.ts';
import type { FaultProxy, Moment, SeenRequest, Watcher } from './proxy.ts';

/** Where a command is killed: at its request of this number, counted over all proxies, before or after the server did it. */
export interface KillPoint {
  readonly number: number;
  readonly moment: Moment;
  /** Only requests whose route contains this are counted. */
  readonly route?: string;
}

/** Requests of one command line, over one proxy or several. */
export interface Killed extends Ended {
  readonly requests: number;
  /** The request at which it was killed; `undefined`: it ended before. */
  readonly at: string | undefined;
}

/**
 * Runs the command line behind proxies and kills it (SIGKILL) at a point; without a point it runs to its end. The
 * request at hand is settled before the process is dead: with `before` no server ever hears of it.
 */
export async function runKilled(
  args: readonly string[],
  proxies: readonly FaultProxy[],
  point: KillPoint | undefined,
  environment: Readonly<Record<string, string>>,
): Promise<Killed> {
  let requests = 0;
  let counted = 0;
  let at: string | undefined;
  const numbers = new WeakMap<SeenRequest, number>();
  let child: ChildProcess | undefined;
  const watcher: Watcher = async (request, moment) => {
    if (moment === 'before') {
      requests++;
      if (request.route.includes(point?.route ?? '')) numbers.set(request, counted++);
    }
    if (at !== undefined || point?.number !== numbers.get(request) || point?.moment !== moment) return true;
    at = `${request.route} (${moment})`;
    if (child !== undefined && child.exitCode === null) {
      const ended = once(child, 'exit');
      child.kill('SIGKILL');
      await ended;
    }
    return moment === 'after';
  };
  for (const proxy of proxies) proxy.play([], watcher);
  const process_ = spawn(process.execPath, [CLI, ...args], {
    env: { ...cleanEnvironment(), ...environment },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  child = process_;
  const [stdout, stderr] = await Promise.all([
    text(process_.stdout),
    text(process_.stderr),
    once(process_, 'close'),
  ]);
  return { status: process_.exitCode, stdout, stderr, requests, at };
}
