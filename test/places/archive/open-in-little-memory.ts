/** Opens the archive or stream of the first argument for reading and prints what came of it and the most memory it took. */
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { openReader } from '../../../src/places/open.ts';
import { MlferryError } from '../../../src/util/errors.ts';
import { readerOptions } from '../memory-workspace.ts';

const [path = ''] = process.argv.slice(2);

async function outcome(): Promise<{ code: string; exit: number; message: string }> {
  try {
    await openReader(path, readerOptions(tmpdir()).options);
    return { code: 'accepted', exit: 0, message: '' };
  } catch (error) {
    if (!(error instanceof MlferryError)) throw error;
    return { code: error.code, exit: error.meaning.exit, message: error.message };
  }
}

/** getrusage's maximum is inherited from the process that started this one; Linux counts VmHWM anew. */
function rss_mib(): number {
  const found = /^VmHWM:\s+(\d+) kB$/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1];
  return Math.round(Number(found ?? process.resourceUsage().maxRSS) / 1024);
}

const text = JSON.stringify({ ...(await outcome()), rss_mib: rss_mib() });
if (!process.stdout.write(`${text}\n`)) await once(process.stdout, 'drain');
