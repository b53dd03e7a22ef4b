import { spawn } from 'node:child_process';
import { MlferryError } from '../util/errors.ts';
import type { Io } from './io.ts';

/** How a system opens an address; it is an argument by itself, and no shell sees it. */
const OPENERS: Readonly<Partial<Record<NodeJS.Platform, readonly [string, ...string[]]>>> = {
  darwin: ['open'],
  win32: ['rundll32', 'url.dll,FileProtocolHandler'],
};

/** Opens an address in the browser: the program of BROWSER, else what the system has. Only http and https. Throws UNSUPPORTED. */
export async function openInBrowser(
  address: string,
  { environment }: Pick<Io, 'environment'>,
): Promise<void> {
  const url = URL.parse(address);
  if (url === null || !/^https?:$/.test(url.protocol))
    throw new MlferryError('UNSUPPORTED', `"${address}" is no address that a browser opens`);
  const { BROWSER: browser } = environment;
  const [program, ...before] =
    browser === undefined || browser === '' ? (OPENERS[process.platform] ?? ['xdg-open']) : [browser];
  const child = spawn(program, [...before, url.href], { stdio: 'ignore', detached: true });
  await new Promise<void>((resolve, reject) => {
    child.once('spawn', resolve);
    child.once('error', (cause) =>
      reject(
        new MlferryError('UNSUPPORTED', `No browser could be opened by ${program}`, {
          cause,
          hint: `Set BROWSER to the program that opens an address, or open ${url.href} yourself.`,
        }),
      ),
    );
  });
  child.unref();
}
