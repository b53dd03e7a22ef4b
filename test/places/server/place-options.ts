import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import type { Failure, Loss } from '../../../src/model/findings.ts';
import type { PlaceOptions } from '../../../src/places/place-options.ts';

/** What a reader found, and the options to open it with. Repeats wait a millisecond instead of seconds. */
export async function placeOptions(
  environment: PlaceOptions['environment'] = {},
  more: Partial<PlaceOptions> = {},
): Promise<{ options: PlaceOptions; losses: Loss[]; failures: Failure[] }> {
  const losses: Loss[] = [];
  const failures: Failure[] = [];
  const tempDir = await mkdtemp(join(tmpdir(), 'mlferry-test-'));
  onTestFinished(() => rm(tempDir, { recursive: true, force: true }));
  const quick = { MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR: '0.001', MLFLOW_HTTP_REQUEST_BACKOFF_JITTER: '0.001' };
  const options: PlaceOptions = {
    side: 'from',
    findings: { loss: (loss) => losses.push(loss), failure: (failure) => failures.push(failure) },
    signal: new AbortController().signal,
    concurrency: 8,
    environment: { ...quick, ...environment },
    tempDir,
    ...more,
  };
  return { options, losses, failures };
}
