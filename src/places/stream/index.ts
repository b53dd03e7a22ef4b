import { describePlace } from '../descriptor.ts';
import { pathIdentity } from '../location-text.ts';
import { RECORD_TRAITS } from '../record-files/traits.ts';
import { streamLocation } from './location.ts';

/** Records as NDJSON, in a file or a pipe: `docs/stream-format.md`. */
export const stream = describePlace({
  kind: 'stream',
  words: {
    name: 'stream',
    inMany: 'in streams',
    short: ['*.ndjson[.gz|.zst]', '- for a pipe'],
    forms: [['*.ndjson *.ndjson.gz *.ndjson.zst -', 'an NDJSON stream; - is stdin or stdout']],
    example: 'runs.ndjson',
  },
  traits: RECORD_TRAITS,
  byFileName: true,
  claim: streamLocation,
  peekPipe: async () => (await import('../record-files/decode.ts')).peekPipe,
  // Nothing can be resumed from a pipe.
  identity: ({ path }) => (path === undefined ? undefined : pathIdentity(path)),
  reader: async () => (await import('./reader.ts')).openStreamReader,
  writer: async () => (await import('./writer.ts')).openStreamWriter,
});
