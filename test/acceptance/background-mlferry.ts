import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { CLI, ENVIRONMENT, type Ended } from './run-mlferry.ts';

/** A command line at work. */
export interface Background {
  readonly process: ChildProcess;
  /** Returns when this text has come on stderr. */
  said(text: string): Promise<void>;
  readonly ended: Promise<Ended & { readonly signal: NodeJS.Signals | null }>;
}

/** Starts the command line as {@link runMlferry} does, and lets it run. */
export function startMlferry(
  args: readonly string[],
  environment: Readonly<Record<string, string>> = {},
): Background {
  const child = spawn(process.execPath, [CLI, ...args], {
    env: { ...ENVIRONMENT, ...environment },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let stdout = '';
  let stderr = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    stdout += text;
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text;
  });
  const closed = once(child, 'close');
  return {
    process: child,
    async said(text) {
      while (!stderr.includes(text)) {
        await Promise.race([once(child.stderr, 'data'), closed]);
        if (child.exitCode !== null && !stderr.includes(text))
          throw new Error(`It ended (${child.exitCode}) without saying ${JSON.stringify(text)}: ${stderr}`);
      }
    },
    ended: closed.then(() => ({ status: child.exitCode, signal: child.signalCode, stdout, stderr })),
  };
}
