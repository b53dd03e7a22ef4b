import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { cpuTimeOfEndedChildren } from './cpu-time.ts';

/** What one process took: CPU seconds, user and system, of all its threads, and the most memory it had resident (MB). */
export interface Cost {
  readonly cpu: number;
  readonly peak: number;
}

/** Preloaded: writes VmHWM (kB), which Linux counts anew for every program, to the file PEAK_FILE at the end. */
const TELL_PEAK = `import{readFileSync as r,writeFileSync as w}from'node:fs';process.once('exit',()=>w(process.env.PEAK_FILE,/VmHWM:\\s+(\\d+)/.exec(r('/proc/self/status','utf8'))?.[1]??''))`;

/** Runs Node with these arguments to its end. `scratch`: a directory of its own for what is noted. Throws when the exit status is another one. */
export function costOf(scratch: string, args: readonly string[], status = 0): Cost {
  const peakFile = join(scratch, 'peak');
  const preload = `--import=data:text/javascript,${encodeURIComponent(TELL_PEAK)}`;
  const before = cpuTimeOfEndedChildren();
  const ended = run(scratch, [preload, ...args], { PEAK_FILE: peakFile });
  const cpu = cpuTimeOfEndedChildren() - before;
  if (ended.status !== status)
    throw new Error(`${args.join(' ')} ended with ${ended.status}:\n${ended.stderr.slice(-4000)}`);
  const peak = existsSync(peakFile) ? Number(readFileSync(peakFile, 'utf8')) * 1.024e-3 : Number.NaN;
  rmSync(peakFile, { force: true });
  return { cpu, peak };
}

/** Mean CPU seconds of a process that is started so many times: one start is a few ticks of the clock only. */
export function startUpCost(scratch: string, args: readonly string[], times: number): number {
  const before = cpuTimeOfEndedChildren();
  for (let time = 0; time < times; time += 1) run(scratch, args, {});
  return (cpuTimeOfEndedChildren() - before) / times;
}

function run(scratch: string, args: readonly string[], more: NodeJS.ProcessEnv) {
  const env = { ...process.env, XDG_STATE_HOME: join(scratch, 'state'), ...more };
  return spawnSync(process.execPath, args, { env, encoding: 'utf8', stdio: ['ignore', 'ignore', 'pipe'] });
}
