import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { z } from 'zod';
import { canariesBelow, canariesIn, FOREIGN_SECRETS, UNUSED_CREDENTIALS } from '../canaries.ts';
import { checkJson } from '../cli/check-json.ts';
import { cleanEnvironment } from '../servers/clean-environment.ts';

/** bin/mlferry.js, which runs the built package. */
export const CLI = fileURLToPath(new URL('../../bin/mlferry.js', import.meta.url));

const stateHome = mkdtempSync(join(tmpdir(), 'mlferry-state-'));
process.once('exit', () => rmSync(stateHome, { recursive: true, force: true }));

/** No credentials, no settings and no state of this machine. */
export const ENVIRONMENT: Readonly<NodeJS.ProcessEnv> = {
  ...cleanEnvironment(),
  HOME: '/nonexistent',
  XDG_STATE_HOME: stateHome,
  // Where a test has no store of its own, nobody is asked.
  AWS_ENDPOINT_URL: 'http://127.0.0.1:9',
  AWS_EC2_METADATA_DISABLED: 'true',
};

/** How a command ended. */
export interface Ended {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Whether a command brings credentials of its own, which others in the environment could take the place of. */
const hasCredentials = (args: readonly string[], environment: Readonly<Record<string, string>> = {}) =>
  args.some((arg) => /:\/\/[^/]*@/.test(arg)) ||
  Object.keys(environment).some((name) => /^(MLFERRY_|MLFLOW_TRACKING_|HOME$)/.test(name));

/**
 * Runs the command line as a user does: a process of its own, with the credentials given. Where there are none it gets
 * some that are of no use, and secrets of other programs in any case; throws when one of them is in what it prints, or in
 * the state that it keeps, and when what `--json` prints is not of its schema.
 */
export async function runMlferry(
  args: readonly string[],
  options: { environment?: Readonly<Record<string, string>>; stdin?: string } = {},
): Promise<Ended> {
  const child = spawn(process.execPath, [CLI, ...args], {
    env: {
      ...ENVIRONMENT,
      ...FOREIGN_SECRETS,
      ...(hasCredentials(args, options.environment) ? {} : UNUSED_CREDENTIALS),
      ...options.environment,
    },
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  // A command that refuses its input closes it early.
  child.stdin.on('error', () => undefined);
  child.stdin.end(options.stdin ?? '');
  const [stdout, stderr] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'close')]);
  const seen = [...canariesIn(stdout + stderr), ...(await canariesBelow(stateHome))];
  if (seen.length > 0) throw new Error(`mlferry ${args.join(' ')} shows secrets: ${seen.join(', ')}`);
  checkJson(args, stdout, child.exitCode);
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
  objects: z.record(z.string(), z.record(z.string(), count)).optional(),
  sent: z.object({ points: count, artifacts: count, artifact_bytes: count }),
  loss_counts: z.record(z.string(), count),
  artifact_ways: z
    .array(z.object({ side: z.string(), store: z.string(), way: z.string(), reason: z.string().optional() }))
    .optional(),
  losses: z.array(
    z.object({
      code: z.string(),
      run_id: z.string().optional(),
      key: z.string().optional(),
      detail: z.string(),
    }),
  ),
  failures: z.array(
    z.object({ code: z.string(), object: z.string(), message: z.string(), hint: z.string() }),
  ),
  error: z.object({ code: z.string(), message: z.string() }).optional(),
  verification: z.looseObject({ exit_status: z.int(), items: z.array(z.unknown()) }).optional(),
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
