import type { VerifyReport } from '../verify/report.ts';
import { type VerifyOptions, verify } from '../verify/verify.ts';
import type { Io } from './io.ts';
import { progressLine, progressText } from './progress-line.ts';

/** Verifies what was just copied, or a place, with a progress line. */
export async function verifyWithProgress(
  from: string,
  to: string | undefined,
  options: VerifyOptions,
  quiet: boolean,
  io: Io,
): Promise<VerifyReport> {
  const progress = progressLine(io, quiet, progressText);
  try {
    const { environment, stdin, signal } = io;
    return await verify(from, to, { ...options, environment, stdin, signal, onProgress: progress.show });
  } finally {
    progress.end();
  }
}
