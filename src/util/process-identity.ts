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

/** Whether a process of this number is running on this machine. */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return systemCode(error) !== 'ESRCH';
  }
}

/** Field 22 of `/proc/<pid>/stat`, the start in clock ticks since boot; the name before it may hold spaces and brackets. */
function birthOf(pid: number): string | undefined {
  try {
    const boot = readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const start = stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19];
    return start === undefined ? undefined : `${boot}/${start}`;
  } catch {
    return undefined;
  }
}
