import { createHash } from 'node:crypto';
import { Readable } from 'node:stream';
import { MlferryError } from '../../../util/errors.ts';
import type { Download } from '../connect/tracking-client.ts';

/** Downloads in a row that bring nothing new before a file is given up. */
const MOST_IDLE = 3;

/** gunicorn's own default for a worker that reports nothing, which all servers before MLflow 3 run with. */
const HINT =
  'If it stays: MLflow servers run by gunicorn (2.x) end a download that takes more than 30 s. Start the server with --gunicorn-opts "--timeout 600".';

/**
 * The bytes of a file, gone on with where its download breaks off: `again` asks for the rest. From a server that gives only
 * whole files they are read up to that place once more, and must be the same. The stream fails with the error of the last
 * download when several in a row bring nothing new.
 */
export function resumedBody(
  first: Readable,
  again: (from: number) => Promise<Pick<Download, 'body' | 'from'>>,
  { name, size }: { readonly name: string; readonly size: number | undefined },
): Readable {
  let source = first;
  const brokeOff = (bytes: number, cause: unknown) => {
    const said = cause instanceof Error ? cause.message : String(cause);
    const message = `${name} broke off after ${bytes} bytes: ${said}`;
    return new MlferryError('SHORT_BODY', message, { cause, hint: HINT });
  };
  async function* whole() {
    const hash = createHash('sha256');
    let given = 0;
    let at = 0;
    let repeated = createHash('sha256');
    for (let idle = 0; ; ) {
      const before = given;
      try {
        for await (const chunk of source) {
          if (!(chunk instanceof Uint8Array))
            throw new TypeError('a byte stream gave something else than bytes');
          const known = Math.min(chunk.length, given - at);
          at += chunk.length;
          if (known > 0) {
            repeated.update(chunk.subarray(0, known));
            if (at >= given && hash.copy().digest('hex') !== repeated.digest('hex'))
              throw new MlferryError('SHORT_BODY', `${name} broke off, and then began with other bytes`);
          }
          if (known === chunk.length) continue;
          const rest = known === 0 ? chunk : chunk.subarray(known);
          hash.update(rest);
          given += rest.length;
          yield rest;
        }
        return;
      } catch (error) {
        if (error instanceof MlferryError) throw error;
        // The last byte came, and what says that it is the last did not.
        if (given === size) return;
        idle = given > before ? 0 : idle + 1;
        if (idle >= MOST_IDLE) throw brokeOff(given, error);
        source.destroy();
        const rest = await again(given).catch((reason: unknown) => {
          const gone = reason instanceof MlferryError && ['INTERRUPTED', 'UNAVAILABLE'].includes(reason.code);
          throw gone ? reason : brokeOff(given, error);
        });
        source = rest.body;
        at = rest.from;
        repeated = createHash('sha256');
      }
    }
  }
  const body = Readable.from(whole(), { objectMode: false });
  body.once('close', () => source.destroy());
  return body;
}
