/**
 * Preloaded into a mlferry process (`NODE_OPTIONS=--import=…`): writes the most memory that it ever had resident, in
 * bytes, to the file PEAK_MEMORY_FILE when it ends. Linux counts VmHWM anew for every program that is executed, while
 * getrusage's maximum is inherited from the process that started it.
 */
import { readFileSync, writeFileSync } from 'node:fs';

const file = process.env.PEAK_MEMORY_FILE;

function peak(): number {
  try {
    const found = /^VmHWM:\s+(\d+) kB$/m.exec(readFileSync('/proc/self/status', 'utf8'));
    if (found?.[1] !== undefined) return Number(found[1]) * 1024;
  } catch {
    // Not Linux.
  }
  return process.resourceUsage().maxRSS * 1024;
}

if (file !== undefined) process.once('exit', () => writeFileSync(file, String(peak())));
