import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { z } from 'zod';
import { cleanEnvironment } from '../servers/start-server.ts';

/** bin/mlferry.js, which runs the built package. */
export const CLI = fileURLToPath(new URL('../../bin/mlferry.js', import.meta.url));

const stateHome = mkdtempSync(join(tmpdir(), 'mlferry-state-'));
process.once('exit', () => rmSync(stateHome, { recursive: true, force: true }));

/** No credentials, no settings and no state of this machine. */
export const ENVIRONMENT: Readonly<NodeJS.ProcessEnv> = {
  ...cleanEnvironment(),
  HOME: '/nonexistent',
  XDG_STATE_HOME: stateHome,
};

/** How a command ended. */
export interface Ended {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs the command line as a user does: a process of its own, no credentials but those given. */
export async function runMlferry(
  args: readonly string[],
  options: { environment?: Readonly<Record<string, string>>; stdin?: string } = {},
): Promise<Ended> {
  const child = spawn(process.execPath, [CLI, ...args], {
    env: { ...ENVIRONMENT, ...options.environment },
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  // A command that refuses its input closes it early.
  child.stdin.on('error', () => undefined);
  child.stdin.end(options.stdin ?? '');
  const [stdout, stderr] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'close')]);
  return { status: child.exitCode, stdout, stderr };
}

const count = z.int().nonnegative();

/** What the tests look at in a `--json` report. */
const reportSchema = z.object({
  experiments: z.object({ read: count, created: count }),
  runs: z.object({
    read: count,
    created: count,
    updated: count,
    unchanged: count,
    failed: count,
    left_out: count,
  }),
  sent: z.object({ points: count, artifacts: count, artifact_bytes: count }),
  loss_counts: z.record(z.string(), count),
  losses: z.array(
    z.object({
      code: z.string(),
      run_id: z.string().optional(),
      key: z.string().optional(),
      detail: z.string(),
    }),
  ),
  failures: z.array(z.object({ code: z.string(), object: z.string(), message: z.string() })),
  error: z.object({ code: z.string(), message: z.string() }).optional(),
  exit_status: z.int(),
});
export type JsonReport = z.infer<typeof reportSchema>;

/** Runs a copying command with `--json`; throws unless it prints a report that agrees with its exit status. */
export async function copyReport(
  args: readonly string[],
  options: { environment?: Readonly<Record<string, string>> } = {},
): Promise<JsonReport> {
  const ended = await runMlferry([...args, '--json'], options);
  const text = ended.stdout === '' ? ended.stderr : ended.stdout;
  let report: JsonReport;
  try {
    report = reportSchema.parse(JSON.parse(text));
  } catch (error) {
    throw new Error(`mlferry ${args.join(' ')} (status ${ended.status}): ${ended.stdout}${ended.stderr}`, {
      cause: error,
    });
  }
  if (report.exit_status !== ended.status) {
    throw new Error(`The report says ${report.exit_status}, the process ended with ${ended.status}`);
  }
  return report;
}
