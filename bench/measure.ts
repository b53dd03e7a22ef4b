import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { openSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { performance } from 'node:perf_hooks';
import { cleanEnvironment } from '../test/servers/clean-environment.ts';
import type { TestServer } from '../test/servers/start-server.ts';
import { cpuTimeIn, cpuTimeOfEndedChildren } from './cpu-time.ts';

/**
 * One execution of a tool: wall time from its start to its end, CPU time of the server and of the tool (seconds), and
 * the requests the server logged meanwhile. CPU time suffers less from whatever else the machine does.
 */
export interface Measurement {
  readonly seconds: number;
  readonly serverCpu: number;
  readonly toolCpu: number;
  readonly requests: number;
}

/** Runs a tool to its end against a server. Throws, with the end of its output, when it fails. */
export async function measure(
  server: TestServer,
  command: readonly [string, ...string[]],
): Promise<Measurement> {
  const accessLog = join(server.directory, 'server.log');
  const logged = statSync(accessLog).size;
  const output = join(server.directory, 'tool-output.log');
  const file = openSync(output, 'w');
  const [program, ...args] = command;
  const serverCpu = cpuTimeIn(server.directory);
  const toolCpu = cpuTimeOfEndedChildren();
  const start = performance.now();
  const tool = spawn(program, args, {
    env: { ...cleanEnvironment(), MLFLOW_TRACKING_URI: server.url },
    stdio: ['ignore', file, file],
  });
  const [status] = await once(tool, 'exit');
  const seconds = (performance.now() - start) / 1000;
  if (status !== 0) {
    throw new Error(
      `${command.join(' ')} ended with ${status}:\n${readFileSync(output, 'utf8').slice(-4000)}`,
    );
  }
  const lines = readFileSync(accessLog)
    .subarray(logged)
    .toString()
    .match(/ "[A-Z]+ \S+ HTTP\/1\.1" \d+/g);
  return {
    seconds,
    serverCpu: cpuTimeIn(server.directory) - serverCpu,
    toolCpu: cpuTimeOfEndedChildren() - toolCpu,
    requests: lines?.length ?? 0,
  };
}

/** Middle value. */
export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length / 2;
  const [low = Number.NaN, high = low] = sorted.slice(Math.ceil(middle) - 1, Math.floor(middle) + 1);
  return (low + high) / 2;
}
