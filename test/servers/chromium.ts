import { existsSync } from 'node:fs';

/** Where Debian, and others, have it. */
const PATHS = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'];

/** The program of a Chromium of this machine; `CHROMIUM` names another one. */
export function chromiumPath(): string | undefined {
  return [process.env.CHROMIUM ?? '', ...PATHS].find((path) => path !== '' && existsSync(path));
}
