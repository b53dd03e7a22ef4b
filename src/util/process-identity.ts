import { readFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { systemCode } from './errors.ts';

/** Tells a process from every other one, also from a later one with the same number. */
export interface ProcessIdentity {
  readonly pid: number;
  readonly host: string;
  /** Boot of the machine and start of the process, where the system tells them (Linux). */
  readonly birth?: string | undefined;
}

/** This process. */
export function ownIdentity(): ProcessIdentity {
  const birth = birthOf(process.pid);
  return { pid: process.pid, host: hostname(), ...(birth === undefined ? {} : { birth }) };
}

/** Whether that process is at work: `elsewhere` when it was one of another machine, which cannot be asked. */
export function whereabouts({ pid, host, birth }: ProcessIdentity): 'alive' | 'gone' | 'elsewhere' {
  if (host !== hostname()) return 'elsewhere';
  if (!isAlive(pid)) return 'gone';
  const now = birthOf(pid);
  return birth === undefined || now === undefined || birth === now ? 'alive' : 'gone';
}

/** Whether a process of this number is running on this machine. One that was killed and not yet reaped is not. */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return !['Z', 'X'].includes(statOf(pid)?.[0] ?? '');
  } catch (error) {
    return systemCode(error) !== 'ESRCH';
  }
}

/** The start of a process in clock ticks since boot (field 22), with the boot. */
function birthOf(pid: number): string | undefined {
  const start = statOf(pid)?.[19];
  return start === undefined ? undefined : `${bootId()}/${start}`;
}

/** The fields of `/proc/<pid>/stat` from the third, the state, on; the name before it may hold spaces and brackets. */
function statOf(pid: number): string[] | undefined {
  const stat = systemText(`/proc/${pid}/stat`);
  return stat?.slice(stat.lastIndexOf(')') + 2).split(' ');
}

const bootId = () => systemText('/proc/sys/kernel/random/boot_id')?.trim() ?? '';

function systemText(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
}
