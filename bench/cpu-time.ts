import { readdirSync, readFileSync, readlinkSync } from 'node:fs';

/** Clock ticks a second in /proc: the same on every Linux that Node runs on. */
const TICKS = 100;

/** CPU seconds that the living processes with this working directory have used; NaN where there is no /proc. */
export function cpuTimeIn(directory: string): number {
  return numbersIn('/proc')
    .filter((pid) => isIn(directory, pid))
    .reduce((sum, pid) => sum + cpuTime(pid, [13, 14]), 0);
}

/** CPU seconds of this process's children that have ended; NaN where there is no /proc. */
export function cpuTimeOfEndedChildren(): number {
  return cpuTime('self', [15, 16]);
}

function numbersIn(directory: string): string[] {
  try {
    return readdirSync(directory).filter((name) => /^\d+$/.test(name));
  } catch {
    return ['self'];
  }
}

function isIn(directory: string, pid: string): boolean {
  try {
    return readlinkSync(`/proc/${pid}/cwd`) === directory;
  } catch {
    return false;
  }
}

/** Sum of fields of /proc/PID/stat, counted from 0; the second one, in brackets, may hold spaces. */
function cpuTime(pid: string, fields: readonly number[]): number {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const rest = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return fields.reduce((sum, field) => sum + Number(rest[field - 2]), 0) / TICKS;
  } catch {
    return Number.NaN;
  }
}
