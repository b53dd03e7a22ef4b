import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync } from 'node:fs';
import { createConnection } from 'node:net';
import { text } from 'node:stream/consumers';

/** What to run, and where; output is appended to files. */
export interface Task {
  readonly cwd: string;
  readonly env: NodeJS.ProcessEnv;
  readonly stdout: string;
  readonly stderr: string;
}

/** Something that runs, and all that it started: when this process dies, however it dies, so do they. */
export interface TiedProcess {
  hasEnded(): boolean;
  /** Returns when it has ended by itself or was killed. */
  readonly ended: Promise<unknown>;
  /** Kills it and all it started, and returns when they are gone. */
  kill(): Promise<void>;
}

/**
 * Starts a command in a process group of its own, led by a shell that removes `cwd` and kills the group as soon as
 * its stdin ends.
 */
export function spawnTied(command: readonly string[], { cwd, env, stdout, stderr }: Task): TiedProcess {
  const script =
    'exec 3<&0; "$@" </dev/null 3<&- & server=$!; { cat <&3; rm -rf "$0"; kill -KILL 0; } >/dev/null & exec 3<&-; ' +
    'wait "$server"; echo "the server ended with status $?"; kill -KILL 0';
  const outputs = [openSync(stdout, 'a'), openSync(stderr, 'a')];
  let child: ChildProcess;
  try {
    child = spawn('sh', ['-c', script, cwd, ...command], {
      ...{ cwd, env },
      detached: true,
      stdio: ['pipe', ...outputs],
    });
  } finally {
    outputs.forEach(closeSync);
  }
  const ended = once(child, 'exit');
  const hasEnded = () => child.exitCode !== null || child.signalCode !== null;
  return {
    hasEnded,
    ended,
    async kill() {
      if (hasEnded() || child.pid === undefined) return;
      process.kill(-child.pid, 'SIGKILL');
      await ended;
    },
  };
}

/** Has a forge (test/python/forge.py) run it: `mlflow` with its arguments, or a script with its own. */
export async function forkTied(
  forge: string,
  run: readonly string[],
  task: Task,
  options: { remove?: boolean } = {},
): Promise<TiedProcess & { readonly ended: Promise<string> }> {
  const socket = createConnection(forge);
  await once(socket, 'connect');
  socket.write(`${JSON.stringify({ run, ...task, ...options })}\n`);
  let isOver = false;
  // Nothing but its exit status, and that at the end.
  const ended = text(socket).finally(() => {
    isOver = true;
  });
  ended.catch(() => undefined);
  return {
    hasEnded: () => isOver,
    ended,
    async kill() {
      socket.end();
      await ended;
    },
  };
}
