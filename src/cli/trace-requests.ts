import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { z } from 'zod';
import { systemCode } from '../util/errors.ts';
import { plainText } from '../util/plain-text.ts';
import { redact } from '../util/redact.ts';
import { formatCount } from './format.ts';

/** What undici tells of a request, on channels of Node's (undici, docs/docs/api/DiagnosticsChannel.md). */
const event = z.object({
  request: z.custom<object>((value) => typeof value === 'object' && value !== null),
  response: z.object({ statusCode: z.number() }).optional(),
  chunk: z.instanceof(Uint8Array).optional(),
  error: z.unknown().optional(),
});
const address = z.object({ origin: z.string().or(z.instanceof(URL)), path: z.string(), method: z.string() });
type Event = z.infer<typeof event>;

interface Watched {
  readonly name: string;
  readonly started: number;
  status?: number;
  bytes: number;
}

/** Characters of an address that are shown. */
const MOST_SHOWN = 500;

/**
 * Tells `line` of each HTTP request of this process when it has ended: method, address with redacted query values, status or what
 * went wrong, ms, and bytes of the answer's body. No headers and no bodies are told. Returns a function that ends it.
 */
export function traceRequests(line: (text: string) => void): () => void {
  const watched = new WeakMap<object, Watched>();
  const ended = ({ request }: Event, problem?: string) => {
    const of = watched.get(request);
    if (of === undefined) return;
    watched.delete(request);
    const outcome = [of.status, problem].filter((part) => part !== undefined).join(' ');
    const ms = Math.round(performance.now() - of.started);
    line(`${of.name} ${outcome}, ${formatCount(ms)} ms, ${formatCount(of.bytes)} bytes`);
  };
  const listeners: Readonly<Record<string, (told: Event) => void>> = {
    'undici:request:create': ({ request }) => {
      const { data } = address.safeParse(request);
      if (data === undefined) return;
      const name = `${data.method} ${plainText(redact(`${data.origin}${data.path}`), MOST_SHOWN)}`;
      watched.set(request, { name, started: performance.now(), bytes: 0 });
    },
    'undici:request:headers': ({ request, response }) => {
      const of = watched.get(request);
      if (of !== undefined && response !== undefined) of.status = response.statusCode;
    },
    'undici:request:bodyChunkReceived': ({ request, chunk }) => {
      const of = watched.get(request);
      if (of !== undefined && chunk !== undefined) of.bytes += chunk.byteLength;
    },
    'undici:request:trailers': (told) => ended(told),
    'undici:request:error': (told) => ended(told, systemCode(told.error) ?? 'broken off'),
  };
  const subscribed = Object.entries(listeners).map(([channel, listener]) => {
    const hear = (message: unknown) => {
      const { data } = event.safeParse(message);
      if (data !== undefined) listener(data);
    };
    subscribe(channel, hear);
    return () => unsubscribe(channel, hear);
  });
  return () => {
    for (const end of subscribed) end();
  };
}
