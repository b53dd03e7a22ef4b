import { z } from 'zod';
import type { Io } from './io.ts';
import { parseOptions } from './parse-options.ts';
import { formatVerification } from './verify-text.ts';
import { verifyWithProgress } from './verify-with-progress.ts';

const ownOptions = z.object({
  quick: z.boolean().default(false),
  all: z.boolean().default(false),
  losses: z.boolean().default(false),
});

/** What `mlferry verify` does. */
export async function runVerify(
  place: string,
  target: string | undefined,
  values: unknown,
  io: Io,
): Promise<void> {
  const { job, json, quiet, mirror } = parseOptions(values);
  const { quick, all, losses } = ownOptions.parse(values);
  const report = await verifyWithProgress(place, target, { ...job, quick, all, mirror }, quiet, io);
  io.stdout.write(json ? `${JSON.stringify(report)}\n` : formatVerification(report, { quiet, losses }));
  io.exit(io.signalStatus?.() ?? report.exit_status);
}
