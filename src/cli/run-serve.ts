import { randomBytes } from 'node:crypto';
import { z } from 'zod';
import type { Findings } from '../model/findings.ts';
import { isLoopback } from '../serve/guard.ts';
import { serve } from '../serve/serve.ts';
import { plainText } from '../util/plain-text.ts';
import { redact } from '../util/redact.ts';
import type { Io } from './io.ts';
import { lossText } from './loss-text.ts';
import { placeOf } from './manage-values.ts';

const serveValues = z.object({
  port: z.number(),
  host: z.string(),
  token: z.union([z.string(), z.boolean()]).optional(),
  ui: z.union([z.string(), z.boolean()]).optional(),
  allowedHost: z.array(z.string()).default([]),
});

/** What `mlferry serve` does: it ends when it is told to. */
export async function runServe(place: string, values: unknown, io: Io): Promise<void> {
  const { port, host, token: given, ui, allowedHost } = serveValues.parse(values);
  const token = tokenOf(given, io);
  const say = (text: string) => io.stderr.write(`${plainText(text)}\n`);
  if (!isLoopback(host) && token === undefined)
    say(`note: whoever reaches ${host} can read all of ${redact(place)}; --token asks for a token`);
  say(`Reading ${redact(place)}`);
  await serve(place, {
    ...placeOf(values, io),
    stdin: io.stdin,
    side: 'from',
    findings: findingsTo(say),
    port,
    host,
    token,
    allowedHosts: allowedHost,
    ui: ui === true ? undefined : ui,
    onReady: ({ url, pages }) => {
      say(`Serving ${redact(place)}, to be read only. Ctrl-C ends it.`);
      if (pages !== undefined) say(`The pages of MLflow, from ${pages}, are at ${url}/ui/`);
      if (token !== undefined && given === true) say(`The token is ${token}`);
      io.stdout.write(`${url}\n`);
    },
    onTrouble: say,
  });
}

/** The token that is asked for: the one given, that of the environment, or a new one. */
function tokenOf(given: string | boolean | undefined, { environment }: Io): string | undefined {
  const { MLFERRY_SERVE_TOKEN: set } = environment;
  if (typeof given === 'string' && given !== '') return given;
  if (set !== undefined && set !== '') return set;
  return given === true ? randomBytes(24).toString('base64url') : undefined;
}

/** Says once what a place tells of what it cannot give. */
function findingsTo(say: (text: string) => void): Findings {
  const said = new Set<string>();
  const once = (text: string) => {
    if (said.has(text) || said.size > 1000) return;
    said.add(text);
    say(text);
  };
  return {
    loss: (loss) => once(`note: ${loss.code} ${redact(lossText(loss))}`),
    failure: ({ object, message }) => once(`${object}: ${redact(message)}`),
  };
}
